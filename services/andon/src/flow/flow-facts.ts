import type { WorkerVitals } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import type { LineFigures } from '../line-window';
import { bottleneckOf } from './bottleneck';

/** The flow of one line: the signals that are offered, that wait and that are lost. */
export interface FlowFacts {
  /** Signals without a slot that are neither held nor in their backoff. */
  waiting: number;
  /** How long the oldest of them has waited; null without one. */
  oldest_ms: number | null;
  /** How long one may wait. */
  max_wait_ms: number;
  /** Names the cause of the wait; absent while nothing waits. */
  waits_for?: string;
  /** How long nothing of the type was started or finished, although there was work; 0 while there is none. */
  still_ms: number;
  /** The most that people let start per second; absent without a limit. */
  max_per_s?: number;
  /** Signals offered in the last five minutes, and those of them refused for want of room. */
  offered: number;
  full: number;
  offered_per_s: number;
  lost_percent: number;
}

/** The flow of one line, as the heartbeats tell it. */
export interface FlowVitals extends Pick<
  FlowFacts,
  'waiting' | 'oldest_ms' | 'waits_for' | 'offered' | 'full' | 'offered_per_s' | 'max_per_s'
> {
  /** Signals that workers have, started or not. */
  in_flight: number;
  /** When a worker last started a signal of the type, by the clock of this process; 0 if none did. */
  startedMs: number;
}

/** Heartbeats are up to so old. */
const BEAT_AGE_MS = 1_500;

/** Adds up what the living processes tell of a type. */
export function flowVitals(fleet: Pick<FleetView, 'of'>, type: string, nowMs: number): FlowVitals {
  const beats = fleet.of('worker').filter(({ vitals }) => vitals.types.includes(type));
  const workers = beats.map(({ vitals }) => vitals);
  // The replicas of kanban read the same lanes.
  const queues = fleet.of('kanban').flatMap(({ vitals }) => vitals.waiting?.[type] ?? []);
  const queue = queues.sort((a, b) => b.signals - a.signals)[0];
  const in_flight = sum(workers, ({ in_flight, in_hand }) => (in_flight ?? in_hand)[type]);
  const running = sum(workers, (vitals) => vitals.running?.[type] ?? (vitals.in_flight ? 0 : in_flight));
  const waiting = (queue?.signals ?? 0) + Math.max(0, in_flight - running);
  const ages = [
    ...queues.map(({ oldest_ms }) => oldest_ms),
    ...workers.map((w) => w.oldest_waiting_ms?.[type]),
  ];
  const known = ages.filter((ms) => ms !== undefined);
  const gateways = fleet.of('gateway').map(({ vitals }) => vitals);
  const max_per_s = queue?.max_per_s;
  return {
    ...{ waiting, in_flight, oldest_ms: known.length > 0 ? Math.max(...known) : null },
    ...(waiting > 0 ? { waits_for: bottleneckOf({ type, workers, in_flight, ...queue }) } : {}),
    ...(max_per_s === undefined ? {} : { max_per_s }),
    offered: sum(gateways, ({ offered_5m }) => offered_5m?.[type]),
    full: sum(gateways, ({ full_5m }) => full_5m?.[type]),
    offered_per_s: sum(gateways, ({ offered_per_s }) => offered_per_s?.[type]),
    startedMs: Math.max(0, ...beats.map(({ at, vitals }) => startedMs(vitals, type, sentMs(at, nowMs)))),
  };
}

/** The moment of a heartbeat by the clock of this process; clocks of two machines may differ. */
function sentMs(at: string, nowMs: number): number {
  return Math.min(nowMs, Math.max(nowMs - BEAT_AGE_MS, Date.parse(at)));
}

function startedMs({ since_start_ms }: WorkerVitals, type: string, sentMs: number): number {
  const since = since_start_ms?.[type];
  return since === undefined ? 0 : sentMs - since;
}

function sum<T>(items: readonly T[], figure: (item: T) => number | undefined): number {
  return items.reduce((total, item) => total + (figure(item) ?? 0), 0);
}

/** Signals whose end was seen were offered as well, although a gateway that has restarted does not know of them. */
export function offeredOf(
  { offered, full }: Pick<FlowFacts, 'offered' | 'full'>,
  figures: LineFigures,
): number {
  const { processed, expired, rejected, cancelled } = figures;
  return Math.max(offered, processed + expired + rejected + cancelled + full);
}

/** Percent of the offered signals that were never finished: expired, cut off or refused for want of room. */
export function lostPercent(
  { expired, cut_off }: Pick<LineFigures, 'expired' | 'cut_off'>,
  { offered, full }: Pick<FlowFacts, 'offered' | 'full'>,
): number {
  const lost = expired + cut_off + full;
  return offered === 0 ? 0 : Math.min(100, Math.round((1e4 * lost) / offered) / 100);
}
