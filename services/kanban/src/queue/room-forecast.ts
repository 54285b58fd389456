/** One reading of the stream. */
export interface QueueReading {
  atMs: number;
  /** Signals that have left the queue since its stream was created. */
  removed: number;
  /** Accepted, unfinished signals. */
  depth: number;
}

/** What a refused sender is told. */
export interface Forecast {
  retry_after_ms: number;
  /** Undefined until something was measured. */
  finished_per_s?: number;
}

const WINDOW_MS = 10_000;
/** A shorter time says little about the rate. */
const MIN_SPAN_MS = 250;
const MIN_WAIT_MS = 1_000;
const MAX_WAIT_MS = 60_000;
/** Added by chance, at most this part of the wait, so that senders who were refused together do not return together. */
const JITTER = 0.25;

/**
 * How long it takes until this many signals have left the queue, between 1 and 60 s.
 * @param perSecond undefined when nothing was measured: then soon, because the first measurement follows within a second
 * @param random from 0 to 1
 */
export function waitForRoomMs(signals: number, perSecond: number | undefined, random: number): number {
  const ms = perSecond === undefined ? MIN_WAIT_MS : (signals / perSecond) * 1_000;
  const bounded = Math.min(Math.max(ms, MIN_WAIT_MS), MAX_WAIT_MS / (1 + JITTER));
  return Math.round(bounded * (1 + JITTER * random));
}

/**
 * Forecasts when a refused sender finds room, by the rate at which signals leave the queue. Each refusal is counted as
 * expected back, so that the next sender is told a later time; the count falls as room is made for them.
 */
export class RoomForecast {
  private readings: QueueReading[] = [];
  /** The rate of the last busy time, for the first moments of the next one. */
  private lastPerSecond: number | undefined;
  private expected = 0;
  private expectedAtMs = 0;

  /** @param replicas the number of kanban processes: each of them refuses its part of the senders */
  constructor(
    private readonly replicas: () => number,
    private readonly random: () => number = Math.random,
  ) {}

  observe(reading: QueueReading): void {
    const last = this.readings.at(-1);
    // An idle queue says nothing about the rate, and a stream that was created again counts from 0.
    if (last && (last.depth === 0 || reading.removed < last.removed)) {
      this.lastPerSecond = this.perSecond();
      this.readings = [];
    }
    this.readings.push(reading);
    while (reading.atMs - this.readings[0]!.atMs > WINDOW_MS) this.readings.shift();
  }

  /** Forecasts for one refused signal, and expects its sender back. @param over signals that must leave before it fits */
  refuse(over: number, nowMs: number): Forecast {
    const perSecond = this.perSecond();
    // At its start a process has not heard itself yet.
    const replicas = Math.max(1, this.replicas());
    const sinceMs = nowMs - this.expectedAtMs;
    this.expected = Math.max(0, this.expected - ((perSecond ?? 0) / replicas) * (sinceMs / 1_000));
    this.expectedAtMs = nowMs;
    const signals = over + this.expected * replicas;
    this.expected += 1;
    const retry_after_ms = waitForRoomMs(signals, perSecond, this.random());
    if (perSecond === undefined) return { retry_after_ms };
    return { retry_after_ms, finished_per_s: Math.round(perSecond * 10) / 10 };
  }

  /** A time in which nothing finished counts as if one signal had: the rate is that or lower, and never 0. */
  private perSecond(): number | undefined {
    const [first, last] = [this.readings[0], this.readings.at(-1)];
    if (!first || !last || last.atMs - first.atMs < MIN_SPAN_MS) return this.lastPerSecond;
    return (Math.max(1, last.removed - first.removed) * 1_000) / (last.atMs - first.atMs);
  }
}
