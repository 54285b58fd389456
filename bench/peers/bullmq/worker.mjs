import { Worker } from 'bullmq';
import { endWithParent, handle } from '../http.mjs';

// https://docs.bullmq.io/guide/going-to-production: a worker waits for Redis for as long as it takes.
// https://docs.bullmq.io/guide/workers/concurrency: 64 jobs at once, like the slots of the fleet's worker.
const [port, slots] = process.argv.slice(2).map(Number);

endWithParent();
new Worker('signals', async () => handle(), {
  connection: { host: '127.0.0.1', port, maxRetriesPerRequest: null },
  concurrency: slots,
});
