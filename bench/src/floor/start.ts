import { join } from 'node:path';
import { AckPolicy, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { freePort, NatsServer } from '@tps/testkit';
import { Child } from '../child';
import { BenchError } from '../errors';
import { type System, untilServing } from '../system';
import type { Teardown } from '../teardown';
import { CONSUMER, STREAM, SUBJECT } from './wire';

/**
 * Starts the floor, the barest durable pipeline possible, as three processes. The fleet is compared with it on the same
 * machine in the same minutes, since figures of another hour or machine say little.
 * @param request a request that must succeed before the floor counts as started
 * @param program `http-gateway` has node:http in place of express ("the limit")
 */
export async function startFloor(
  request: Buffer,
  teardown: Teardown,
  program: 'gateway' | 'http-gateway' = 'gateway',
): Promise<System> {
  const nats = await NatsServer.start();
  teardown.add(() => nats.stop());
  const broker = await createStream(nats.url);
  if (nats.pid === undefined) throw new BenchError("The floor's nats-server has ended.");

  const port = await freePort();
  const worker = new Child('worker', join(__dirname, 'worker.js'), { args: [nats.url] });
  teardown.add(() => worker.stop());
  const gateway = new Child('gateway', join(__dirname, `${program}.js`), {
    args: [nats.url, String(port)],
  });
  teardown.add(() => gateway.stop());
  await untilServing('floor', port, request);
  return { name: 'floor', port, broker, processes: [{ name: 'nats', pid: nats.pid }, gateway, worker] };
}

/** @returns the server's version */
async function createStream(url: string): Promise<string> {
  const nc = await connect({ servers: url });
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({
    name: STREAM,
    subjects: [SUBJECT],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
  });
  await jsm.consumers.add(STREAM, {
    durable_name: CONSUMER,
    ack_policy: AckPolicy.Explicit,
    max_ack_pending: -1,
  });
  const version = nc.info?.version ?? '(unknown version)';
  await nc.close();
  return `nats-server ${version}`;
}
