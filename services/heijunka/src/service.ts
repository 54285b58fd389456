import type { Subscription } from '@nats-io/transport-node';
import { openView, restoreMissing } from '@tps/bus';
import {
  type ArrivalsMessage,
  type HeijunkaBoard,
  type Outcome,
  parseArrivals,
  type SpanAttributes,
  WIRE_VERSION,
} from '@tps/contracts';
import { FleetView, OutcomesLog, TypesView } from '@tps/fleet';
import type { RunningService, ServiceContext, ServiceDefinition } from '@tps/service';
import { capacityOf, type CapacityFacts, round } from './capacity';
import { adviseCards } from './card-advice';
import { type HeijunkaConfig, variables } from './config';
import { addArrivals, demandAt, type DemandState } from './demand';
import { weightsOf } from './level-schedule';
import { RECENT_WORK_MS, RecentWork } from './recent-work';
import { Scheduler } from './scheduler';

const UPDATE_MS = 1_000;
const CATCH_UP_MS = 500;

/** Level volume and mix: writes the schedule by which workers take signals, and compares demand with capacity. */
export const heijunka: ServiceDefinition<typeof variables> = { name: 'heijunka', variables, start };

async function start(context: ServiceContext<HeijunkaConfig>): Promise<RunningService> {
  const { bus, log, instance } = context;
  const onError = (error: unknown): void => void log.warn('schedule not updated', { error });
  const kv = { replicas: context.config.TPS_NATS_REPLICAS, onError };
  const fleet = new FleetView(bus, { onError });
  const types = await TypesView.open(bus, kv);
  const schedules = await openView(bus, 'schedule', { ...kv, restore: restoreMissing });
  const scheduler = new Scheduler(schedules, fleet, instance);
  await scheduler.ensureSchedule(Date.now());
  let demand: DemandState | undefined;
  const arrivals = followArrivals(context, (message) => {
    demand = addArrivals(demand, message, Date.now());
  });
  let work = new RecentWork();
  const outcomes = await OutcomesLog.open(context, {
    sinceMs: RECENT_WORK_MS,
    spanAttributes: levelAttributes,
    onStart: ({ replaced }) => {
      if (replaced) work = new RecentWork();
    },
    onOutcome: (logged) => work.add(logged),
  });
  const facts = (nowMs: number): CapacityFacts => ({
    demand: withoutRetired(types, demandAt(demand, nowMs)),
    cycleMs: withoutRetired(types, work.cycleMs(nowMs)),
    finished: work.finished(nowMs),
    workers: fleet.of('worker'),
  });
  context.endpoint('rate', (request) => scheduler.setRate(request));
  context.endpoint('retireLevels', async ({ signal_type }) => {
    await scheduler.retire(signal_type);
    return { done: true };
  });
  const updater = setInterval(() => {
    // Until the first announcement, the schedule of the previous process is the better guess.
    if (!demand) return;
    const now = facts(Date.now());
    const plan = {
      weights: weightsOf(now.demand, types.known()),
      cards: adviseCards(now, withoutRetired(types, scheduler.current?.cards)),
    };
    scheduler.update(plan, Date.now()).catch(onError);
  }, UPDATE_MS);
  return {
    problems: () => [...outcomes.problems(), ...schedules.problems()],
    vitals: () => {
      const { utilisation, workers_needed } = capacityOf(facts(Date.now()));
      return { utilisation, workers_needed };
    },
    board: async () => {
      await outcomes.caughtUp(CATCH_UP_MS);
      return boardOf(scheduler, facts(Date.now()), types.known());
    },
    stop: async () => {
      clearInterval(updater);
      arrivals.unsubscribe();
      for (const view of [fleet, types, schedules]) view.close();
      await outcomes.stop();
    },
  };
}

/** Calls `onArrivals` with each announcement of kanban. */
function followArrivals(
  { bus, log }: ServiceContext,
  onArrivals: (message: ArrivalsMessage) => void,
): Subscription {
  return bus.nc.subscribe(bus.names.subjects.arrivals, {
    callback: (_, msg) => {
      try {
        onArrivals(parseArrivals(msg));
      } catch (error) {
        log.warn('arrivals skipped: unreadable', { error });
      }
    },
  });
}

/** Leaves out retired types, whose figures of the last minutes mean nothing any more. */
function withoutRetired<T>(types: TypesView, figures: Readonly<Record<string, T>> = {}): Record<string, T> {
  return Object.fromEntries(Object.entries(figures).filter(([type]) => !types.isRetired(type)));
}

function boardOf(scheduler: Scheduler, facts: CapacityFacts, types: readonly string[]): HeijunkaBoard {
  const demand = Object.entries(weightsOf(facts.demand, types)).map(([type, weight]) => {
    const { arrivals_per_s = 0, backlog = 0 } = facts.demand[type] ?? {};
    return [type, { arrivals_per_s: round(arrivals_per_s), backlog, weight }] as const;
  });
  return {
    v: WIRE_VERSION,
    schedule: scheduler.current,
    demand: Object.fromEntries(demand),
    max_per_s: scheduler.rates(),
    cycle_ms: facts.cycleMs,
    ...capacityOf(facts),
  };
}

/** The lane, place and wait for a card that the worker noted when it took the signal. */
export function levelAttributes({ level }: Outcome): SpanAttributes {
  if (!level) return {};
  return { 'tps.lane': level.lane, 'tps.level.place': level.place, 'tps.card.wait_ms': level.card_wait_ms };
}
