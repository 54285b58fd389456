import { join } from 'node:path';
import { freePort, NatsServer } from '@tps/testkit';
import { Child } from '../child';
import { BenchError } from '../errors';
import { type System, untilServing } from '../system';
import type { Teardown } from '../teardown';
import { startProgram } from './program';

const NODES = ['admission', 'queue', 'worker', 'records', 'figures', 'gateway'];

/** Starts Moleculer: six services, each a process, behind a NATS server. Its traces go to the fleet's sink. */
export async function startMoleculer(request: Buffer, teardown: Teardown): Promise<System> {
  const nats = await NatsServer.start();
  teardown.add(() => nats.stop());
  if (nats.pid === undefined) throw new BenchError('nats-server has ended.');
  const sink = new Child('trace sink', join(__dirname, '../fleet/trace-sink.js'));
  teardown.add(() => sink.stop());
  const sinkUrl = `http://127.0.0.1:${String(await sink.firstMessage())}`;
  const port = await freePort();
  const nodes = NODES.map((name) =>
    startProgram(name, 'moleculer/node.mjs', [name, nats.url, sinkUrl, `${port}`], teardown),
  );
  await untilServing('Moleculer', port, request);
  return { name: 'moleculer', port, processes: [{ name: 'nats', pid: nats.pid }, ...nodes] };
}
