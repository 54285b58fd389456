import { type ArrivalsMessage, parseLane } from '@tps/contracts';

/**
 * The demand model: pure functions of the state, a message and the time.
 *
 * Demand is measured from arrivals instead of finished signals, so that a slow or stopped line still shows its whole
 * demand. The backlog counts as if it had to be worked off within a minute.
 */
export interface DemandState {
  /** When the first message's arrivals began. */
  sinceMs: number;
  /** When the latest message came. */
  heardMs: number;
  /** Arrivals per second at `heardMs`, each weighted by e^(-age / AVERAGE_MS). */
  rates: Readonly<Record<string, number>>;
  backlog: Readonly<Record<string, number>>;
}

export interface TypeDemand {
  arrivals_per_s: number;
  backlog: number;
  /** The arrivals, plus the rate that works off the backlog. */
  per_s: number;
}

const AVERAGE_MS = 30_000;
/** Time in which a backlog is planned to be worked off. */
export const WORK_OFF_S = 60;
/** kanban is silent while nothing arrives or waits, so a backlog of an older message no longer exists. */
const BACKLOG_STALE_MS = 10_000;
/** A type with fewer arrivals (one in three hours) is forgotten. */
const NEGLIGIBLE_PER_S = 1e-4;

/** Adds one announcement. Each kanban replica announces its own arrivals, and all of them the same backlog. */
export function addArrivals(
  state: DemandState | undefined,
  { arrivals, waiting, interval_ms }: ArrivalsMessage,
  nowMs: number,
): DemandState {
  const decayed = state ? decay(nowMs - state.heardMs) : 0;
  const rates: Record<string, number> = {};
  for (const [type, rate] of Object.entries(state?.rates ?? {})) {
    if (rate * decayed >= NEGLIGIBLE_PER_S) rates[type] = rate * decayed;
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
  const decayed = decay(nowMs - state.heardMs);
  // Scale the average up while it covers less than its whole window, or it would start at zero.
  const covered = 1 - decay(Math.max(nowMs - state.sinceMs, 1));
  const backlogs = nowMs - state.heardMs > BACKLOG_STALE_MS ? {} : state.backlog;
  const demand: Record<string, TypeDemand> = {};
  for (const type of new Set([...Object.keys(state.rates), ...Object.keys(backlogs)])) {
    const arrivals_per_s = ((state.rates[type] ?? 0) * decayed) / covered;
    const backlog = backlogs[type] ?? 0;
    demand[type] = { arrivals_per_s, backlog, per_s: arrivals_per_s + backlog / WORK_OFF_S };
  }
  return demand;
}

function decay(ageMs: number): number {
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
