import { BinaryMissingError, freePort, RabbitServer } from '@tps/testkit';
import { BenchError } from '../errors';
import { SLOTS } from '../fleet/start';
import { type System, untilServing } from '../system';
import type { Teardown } from '../teardown';
import { BrokerMissingError, startProgram } from './program';

/** Starts RabbitMQ request/reply: a gateway that waits for confirm and reply, a worker, and the broker. */
export async function startRabbitmq(request: Buffer, teardown: Teardown): Promise<System> {
  const server = await startServer();
  teardown.add(() => server.stop());
  const broker = `RabbitMQ ${(await server.control('version')).trim()}`;
  if (server.pid === undefined) throw new BenchError('RabbitMQ has ended.');
  const port = await freePort();
  const worker = startProgram('worker', 'rabbitmq/worker.mjs', [server.url, `${SLOTS}`], teardown);
  const gateway = startProgram('gateway', 'rabbitmq/gateway.mjs', [server.url, `${port}`], teardown);
  await untilServing('RabbitMQ', port, request);
  return {
    name: 'rabbitmq',
    port,
    broker,
    processes: [{ name: 'broker', pid: server.pid }, gateway, worker],
  };
}

/** The server runs with `+sbwt none`, as https://www.rabbitmq.com/docs/runtime advises against busy waiting. */
async function startServer(): Promise<RabbitServer> {
  try {
    return await RabbitServer.start();
  } catch (error) {
    throw error instanceof BinaryMissingError ? new BrokerMissingError('rabbitmq-server') : error;
  }
}
