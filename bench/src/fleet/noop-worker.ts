import { defineSignal, runWorker } from '@tps/worker';

/** The bench's own signal type, registered as any user's: it does nothing, so what is measured is the way to it. */
const noop = defineSignal({ name: 'noop', run: () => ({}) });

process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
void runWorker([noop]);
