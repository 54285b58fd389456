import { defineSignal, runWorker } from '@tps/worker';

/** A signal type that does nothing, registered like any user's, so that only the way to the handler is measured. */
const noop = defineSignal({ name: 'noop', run: () => ({}) });

process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
void runWorker([noop]);
