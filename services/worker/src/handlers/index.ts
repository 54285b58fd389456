import type { ServiceContext } from '@tps/service';
import type { WorkerSetup } from '@tps/worker';
import type { WorkerConfig } from '../config';
import { demoTask, executeSignal, type Task } from './execute';
import { HttpTask } from './http-task';
import { reportSignal } from './report';
import { SchemaThreads } from './schema-threads';
import { validateSignal } from './validate';

/** The signal types that come with the fleet. A new task of `execute` is one entry in `tasks`. */
export function builtinSignals(context: ServiceContext<WorkerConfig>): WorkerSetup {
  const { bus, config, log, registry } = context;
  // The other half of the slots is for signals that need no thread, or need one only briefly.
  const places = Math.max(1, Math.floor(config.TPS_NUM_WORKERS / 2));
  const threads = new SchemaThreads({ places });
  const http = new HttpTask({
    allowlist: config.TPS_HTTP_ALLOWLIST,
    slots: config.TPS_NUM_WORKERS,
    registry,
    onCircuit: (host, state) => log.warn('circuit of a host', { host, state }),
  });
  const tasks = new Map<string, Task>([
    ['demo', demoTask],
    ['http', http.run],
  ]);
  return {
    signals: [validateSignal(threads), executeSignal(tasks), reportSignal(bus)],
    failing: () => ({ execute: http.failing() }),
    close: async () => {
      http.close();
      await threads.close();
    },
  };
}
