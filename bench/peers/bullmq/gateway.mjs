import { Queue, QueueEvents } from 'bullmq';
import { endWithParent, serve, TIMEOUT_MS } from '../http.mjs';

// https://docs.bullmq.io/guide/going-to-production: finished jobs are removed, and a caller's connection fails fast
// without Redis. https://docs.bullmq.io/guide/returning-job-data: QueueEvents brings the result to the caller.
// `removeOnComplete` keeps some jobs, because `waitUntilFinished` reads one that ends before the wait begins.
const [port, httpPort] = process.argv.slice(2).map(Number);
const connection = { host: '127.0.0.1', port };

endWithParent();
const queue = new Queue('signals', {
  connection: { ...connection, enableOfflineQueue: false },
  defaultJobOptions: { removeOnComplete: { count: 1_000 }, removeOnFail: { count: 5_000 } },
});
const events = new QueueEvents('signals', { connection });
// Every waiting caller listens to both.
for (const emitter of [queue, events]) emitter.setMaxListeners(0);
await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);

serve(httpPort, async (work) => {
  const job = await queue.add(work.signal_type, work.payload, { jobId: work.id });
  return job.waitUntilFinished(events, TIMEOUT_MS);
});
