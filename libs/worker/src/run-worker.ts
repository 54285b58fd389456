import type { TProperties } from '@sinclair/typebox';
import { type ConfigOf, runService, type ServiceContext, type ServiceDefinition } from '@tps/service';
import type { SignalDefinition } from './definition';
import { startWorkerProcess } from './internal/worker-process';
import { type WorkerConfig, type WorkerSetup, workerVariables } from './worker-setup';

/** Runs a worker process for these signal types: it joins the fleet that `NATS_URL` names. */
export function runWorker(signals: SignalDefinition[]): Promise<void> {
  return runService(workerService({}, () => ({ signals })));
}

/**
 * The service definition of a worker process.
 * @param variables further configuration of its handlers
 */
export function workerService<P extends TProperties>(
  variables: P,
  setup: (context: ServiceContext<ConfigOf<P> & WorkerConfig>) => WorkerSetup,
): ServiceDefinition<P & typeof workerVariables> {
  return {
    name: 'worker',
    variables: { ...workerVariables, ...variables },
    start: (context) => {
      const typed = context as unknown as ServiceContext<ConfigOf<P> & WorkerConfig>;
      return startWorkerProcess(typed, setup(typed));
    },
  };
}
