import { connect, createInbox, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { CONSUMER, endWithParent, floorArguments, type Result, STREAM, type Work } from './wire';

/** The most requested messages. The worker requests more when half of them have arrived. */
const BATCH = 256;
const EXPIRES_MS = 30_000;

/** Pulls work in batches and passes every message on. A pull that ended is replaced. */
function pull(nc: NatsConnection, onWork: (msg: Msg) => void): void {
  const inbox = createInbox();
  let expected = 0;

  const ask = (): void => {
    const batch = BATCH - expected;
    expected = BATCH;
    const request = JSON.stringify({ batch, expires: EXPIRES_MS * 1e6 });
    nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${STREAM}.${CONSUMER}`, request, { reply: inbox });
  };
  nc.subscribe(inbox, {
    callback: (_, msg) => {
      // An empty message with a status ends a pull early and has the number of messages that will not come.
      const isEnd = msg.data.length === 0 && msg.headers !== undefined;
      expected -= isEnd ? Number(msg.headers?.get('Nats-Pending-Messages') || BATCH) : 1;
      expected = Math.max(0, expected);
      if (!isEnd) onWork(msg);
      if (expected <= BATCH / 2) ask();
    },
  });
  ask();
}

/** The no-op handler, as in the fleet. */
function handle(): unknown {
  return {};
}

async function main(): Promise<void> {
  endWithParent();
  const nc = await connect({ servers: floorArguments().url, name: 'floor worker', noAsyncTraces: true });
  // The client flushes after it has read everything that arrived at once, so these publishes leave in one write.
  pull(nc, (msg) => {
    const work = msg.json<Work>();
    const result: Result = { success: true, result: handle() };
    nc.publish(work.reply_to, JSON.stringify(result));
    msg.respond('+ACK');
  });
}

void main();
