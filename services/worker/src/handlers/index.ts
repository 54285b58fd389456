import type { Bus } from '@tps/bus';
import type { SignalDefinition } from '@tps/worker';
import type { WorkerConfig } from '../config';
import { demoTask, executeSignal, type Task } from './execute';
import { HttpTask } from './http-task';
import { reportSignal } from './report';
import { SchemaThreads } from './schema-threads';
import { validateSignal } from './validate';

export interface BuiltinSignals {
  signals: SignalDefinition[];
  close(): Promise<void>;
}

/** The signal types that come with the fleet. A new task of `execute` is one entry in `tasks`. */
export function builtinSignals(options: {
  config: Pick<WorkerConfig, 'TPS_HTTP_ALLOWLIST'>;
  bus: Bus;
}): BuiltinSignals {
  const threads = new SchemaThreads();
  const http = new HttpTask(options.config.TPS_HTTP_ALLOWLIST);
  const tasks = new Map<string, Task>([
    ['demo', demoTask],
    ['http', http.run],
  ]);
  return {
    signals: [validateSignal(threads), executeSignal(tasks), reportSignal(options.bus)],
    close: async () => {
      http.close();
      await threads.close();
    },
  };
}
