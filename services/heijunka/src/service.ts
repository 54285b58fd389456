import { openView, restoreMissing } from '@tps/bus';
import { type HeijunkaBoard, type Outcome, parseArrivals, WIRE_VERSION } from '@tps/contracts';
import {
  FleetView,
  OutcomesLog,
  type RunningService,
  type ServiceContext,
  type ServiceDefinition,
  TypesView,
} from '@tps/service';
import { cardsFor } from './advice';
import { capacityOf, type CapacityFacts, round } from './capacity';
import { type HeijunkaConfig, heijunkaVariables } from './config';
import { CYCLE_WINDOW_MS, CycleTimes } from './cycle-times';
import { demandAt, type DemandState, hear, type TypeDemand } from './demand';
import { weightsOf } from './level-schedule';
import { Scheduler } from './scheduler';
import { WorkShares } from './work-shares';

const UPDATE_MS = 1_000;
const CATCH_UP_MS = 500;

/** Level volume and mix: the schedule by which workers take signals, and what demand asks of the fleet. */
export const heijunka: ServiceDefinition<typeof heijunkaVariables> = {
  name: 'heijunka',
  variables: heijunkaVariables,
  start,
};

async function start(context: ServiceContext<HeijunkaConfig>): Promise<RunningService> {
  const { bus, log, instance } = context;
  const onError = (error: unknown): void => void log.warn('levelling', { error });
  const kv = { replicas: context.config.TPS_NATS_REPLICAS, onError };
  const fleet = new FleetView(bus, { onError });
  const types = await TypesView.open(bus, kv);
  const schedules = await openView(bus, 'schedule', { ...kv, restore: restoreMissing });
  const scheduler = new Scheduler(schedules, fleet, instance);
  await scheduler.begin(Date.now());
  const demand = followArrivals(context);
  const cycles = new CycleTimes();
  const shares = new WorkShares();
  const outcomes = await OutcomesLog.open(context, {
    sinceMs: CYCLE_WINDOW_MS,
    spanAttributes: levelAttributes,
    onOutcome: (logged) => {
      cycles.take(logged);
      shares.take(logged);
    },
  });
  const facts = (nowMs: number): CapacityFacts => ({
    demand: without(types, demand.at(nowMs)),
    cycleMs: without(types, cycles.means(nowMs)),
    finished: shares.counts(nowMs),
    workers: fleet.of('worker'),
  });
  serve(context, scheduler);
  const updater = setInterval(() => {
    // Before anything was heard the schedule of the process before is the better guess.
    if (!demand.known()) return;
    const now = facts(Date.now());
    const plan = {
      weights: weightsOf(now.demand, types.known()),
      cards: cardsOf(now, without(types, scheduler.current?.cards)),
    };
    scheduler.update(plan, Date.now()).catch(onError);
  }, UPDATE_MS);
  return {
    problems: () => outcomes.problems(),
    vitals: () => vitalsOf(capacityOf(facts(Date.now()))),
    board: async (): Promise<HeijunkaBoard> => {
      await outcomes.caughtUp(CATCH_UP_MS);
      const now = facts(Date.now());
      return {
        v: WIRE_VERSION,
        schedule: scheduler.current,
        demand: demandBoard(now.demand, types.known()),
        max_per_s: scheduler.rates(),
        cycle_ms: now.cycleMs,
        ...capacityOf(now),
      };
    },
    stop: async () => {
      clearInterval(updater);
      demand.stop();
      for (const view of [fleet, types, schedules]) view.close();
      await outcomes.stop();
    },
  };
}

function serve(context: ServiceContext<HeijunkaConfig>, scheduler: Scheduler): void {
  context.endpoint('rate', (asked) => scheduler.level(asked));
  context.endpoint('retireLevels', async ({ signal_type }) => {
    await scheduler.retire(signal_type);
    return { done: true };
  });
}

function vitalsOf({
  utilisation,
  workers_needed,
}: Pick<HeijunkaBoard, 'utilisation' | 'workers_needed'>): Record<string, unknown> {
  return { utilisation, workers_needed };
}

/** What was measured of a type in the last minutes means nothing once the type is retired. */
function without<T>(types: TypesView, figures: Readonly<Record<string, T>> = {}): Record<string, T> {
  return Object.fromEntries(Object.entries(figures).filter(([type]) => !types.isRetired(type)));
}

/** The cards each type is advised to have; one that did no work lately keeps its figure. */
function cardsOf(
  { demand, cycleMs, workers }: CapacityFacts,
  before: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const cards: Record<string, number> = { ...before };
  for (const [type, mean] of Object.entries(cycleMs)) {
    const serving = workers.filter(({ vitals }) => vitals.types.includes(type));
    const slots = serving.reduce((sum, { vitals }) => sum + vitals.slots, 0);
    const { arrivals_per_s = 0, backlog = 0, per_s = 0 } = demand[type] ?? {};
    const known = { demand: { arrivals_per_s, backlog, per_s }, cycleMs: mean, slots };
    if (slots > 0) cards[type] = cardsFor(known, before[type]);
  }
  return cards;
}

interface FollowedDemand {
  known(): boolean;
  at(nowMs: number): Record<string, TypeDemand>;
  stop(): void;
}

/** Keeps the demand model up to date with what kanban announces. */
function followArrivals({ bus, log }: ServiceContext): FollowedDemand {
  let state: DemandState | undefined;
  const subscription = bus.nc.subscribe(bus.names.subjects.arrivals, {
    callback: (_, msg) => {
      try {
        state = hear(state, parseArrivals(msg), Date.now());
      } catch (error) {
        log.warn('arrivals skipped: unreadable', { error });
      }
    },
  });
  return {
    known: () => state !== undefined,
    at: (nowMs) => demandAt(state, nowMs),
    stop: () => subscription.unsubscribe(),
  };
}

function demandBoard(demand: Record<string, TypeDemand>, types: string[]): HeijunkaBoard['demand'] {
  const entries = Object.entries(weightsOf(demand, types)).map(([type, weight]) => {
    const { arrivals_per_s = 0, backlog = 0 } = demand[type] ?? {};
    return [type, { arrivals_per_s: round(arrivals_per_s), backlog, weight }] as const;
  });
  return Object.fromEntries(entries);
}

/** How the level schedule came to the signal, as the worker noted it. */
export function levelAttributes({ level }: Outcome): Record<string, string | number> {
  if (!level) return {};
  return { 'tps.lane': level.lane, 'tps.level.place': level.place, 'tps.card.wait_ms': level.card_wait_ms };
}
