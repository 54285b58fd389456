import { type ArrivalsMessage, parseLane } from '@tps/contracts';

/**
 * The demand model. Pure: what was known and a message give what is known then; times are passed in.
 *
 * Demand is what arrives, not what is finished: a line that is slow or stopped does not look as if less were asked of
 * it. What waits counts as if it were to be worked off within a minute.
 */
export interface DemandState {
  /** When the first message's arrivals began. */
  sinceMs: number;
  heardMs: number;
  /** Arrivals per second, weighted by e^(-age / AVERAGE_MS), as they stood at `heardMs`. */
  rates: Readonly<Record<string, number>>;
  backlog: Readonly<Record<string, number>>;
}

export interface TypeDemand {
  arrivals_per_s: number;
  backlog: number;
  /** Both in one figure. */
  per_s: number;
}

const AVERAGE_MS = 30_000;
const WORK_OFF_S = 60;
/** kanban says nothing while nothing arrives or waits; what it said last of the backlog is not true for ever. */
const BACKLOG_STALE_MS = 10_000;
/** Below this (one in three hours) a type has no demand and is forgotten. */
const NEGLIGIBLE_PER_S = 1e-4;

/** Every kanban replica announces what arrived at it, and all of them the same backlog. */
export function hear(
  state: DemandState | undefined,
  { arrivals, waiting, interval_ms }: ArrivalsMessage,
  nowMs: number,
): DemandState {
  const faded = state ? fade(nowMs - state.heardMs) : 0;
  const rates: Record<string, number> = {};
  for (const [type, rate] of Object.entries(state?.rates ?? {})) {
    if (rate * faded >= NEGLIGIBLE_PER_S) rates[type] = rate * faded;
  }
  for (const [type, count] of Object.entries(byType(arrivals))) {
    rates[type] = (rates[type] ?? 0) + (count * 1_000) / AVERAGE_MS;
  }
  return {
    sinceMs: state?.sinceMs ?? nowMs - interval_ms,
    heardMs: nowMs,
    rates,
    backlog: byType(waiting),
  };
}

export function demandAt(state: DemandState | undefined, nowMs: number): Record<string, TypeDemand> {
  if (!state) return {};
  const faded = fade(nowMs - state.heardMs);
  // At first the average covers less time than it would weigh: without this it began at zero.
  const covered = 1 - fade(Math.max(nowMs - state.sinceMs, 1));
  const backlogs = nowMs - state.heardMs > BACKLOG_STALE_MS ? {} : state.backlog;
  const demand: Record<string, TypeDemand> = {};
  for (const type of new Set([...Object.keys(state.rates), ...Object.keys(backlogs)])) {
    const arrivals_per_s = ((state.rates[type] ?? 0) * faded) / covered;
    const backlog = backlogs[type] ?? 0;
    demand[type] = { arrivals_per_s, backlog, per_s: arrivals_per_s + backlog / WORK_OFF_S };
  }
  return demand;
}

function fade(ageMs: number): number {
  return Math.exp(-Math.max(ageMs, 0) / AVERAGE_MS);
}

function byType(lanes: Readonly<Record<string, number>>): Record<string, number> {
  const types: Record<string, number> = {};
  for (const [lane, count] of Object.entries(lanes)) {
    const { type } = parseLane(lane);
    types[type] = (types[type] ?? 0) + count;
  }
  return types;
}
