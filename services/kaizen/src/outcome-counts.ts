import {
  type KaizenBoard,
  type KaizenSnapshot,
  type Outcome,
  type TotalsRecord,
  WIRE_VERSION,
} from '@tps/contracts';
import { type LoggedOutcome, RollingWindow } from '@tps/fleet';
import { Durations, percent } from './durations';

const WINDOW = { bucketMs: 10_000, buckets: 30 };
/** Further types are counted together, because the histograms of each type take most of kaizen's memory. */
const MAX_TYPES = 256;
/** No type can have this name, since names begin with a letter. */
export const OTHER_TYPES = '_other';

/** The counts of one type, or of all together. */
export class TypeCounts {
  succeeded = 0;
  failed = 0;
  /** Succeeded at the first attempt. */
  firstPass = 0;
  rejected = 0;
  expired = 0;
  cancelled = 0;
  retried = 0;
  work = new Durations();
  wait = new Durations();

  static restore({ first_pass, work, wait, ...counted }: TotalsRecord): TypeCounts {
    const durations = { work: Durations.restore(work), wait: Durations.restore(wait) };
    return Object.assign(new TypeCounts(), { ...counted, firstPass: first_pass, ...durations });
  }

  record(): TotalsRecord {
    const { succeeded, failed, firstPass, rejected, expired, cancelled, retried } = this;
    const durations = { work: this.work.record(), wait: this.wait.record() };
    return { succeeded, failed, first_pass: firstPass, rejected, expired, cancelled, retried, ...durations };
  }

  get processed(): number {
    return this.succeeded + this.failed;
  }

  add(outcome: Outcome): void {
    switch (outcome.status) {
      case 'succeeded':
        this.succeeded += 1;
        if (outcome.attempt === 1) this.firstPass += 1;
        return this.addDurations(outcome);
      case 'failed':
        this.failed += 1;
        return this.addDurations(outcome);
      case 'retrying':
        this.retried += 1;
        return;
      case 'rejected':
      case 'expired':
      case 'cancelled':
        this[outcome.status] += 1;
        return;
      case 'returned':
    }
  }

  /** The share of a signal's time in which a handler worked on it, in percent. */
  get flowEfficiency(): number {
    return percent(this.work.sumMs, this.work.sumMs + this.wait.sumMs);
  }

  figures() {
    const { rejected, expired, cancelled, retried } = this;
    return {
      total_processed: this.processed,
      success_count: this.succeeded,
      error_count: this.failed,
      error_rate: percent(this.failed, this.processed),
      rejected,
      expired,
      cancelled,
      retried,
    };
  }

  private addDurations({ process_ms, wait_ms }: Outcome): void {
    this.work.add(process_ms);
    this.wait.add(wait_ms);
  }
}

type CountsRecord = Pick<KaizenSnapshot, 'superseded' | 'since_ms' | 'total' | 'types' | 'recent'>;

/** Everything that kaizen counts: a projection of the log alone, so all replicas have the same. */
export class OutcomeCounts {
  total = new TypeCounts();
  readonly types = new Map<string, TypeCounts>();
  superseded = 0;
  sinceMs: number | undefined;
  private readonly recent = new RollingWindow({ ...WINDOW, empty: () => ({ processed: 0, failed: 0 }) });

  static restore(record: CountsRecord): OutcomeCounts {
    const counts = new OutcomeCounts();
    counts.total = TypeCounts.restore(record.total);
    for (const [type, totals] of Object.entries(record.types))
      counts.types.set(type, TypeCounts.restore(totals));
    counts.superseded = record.superseded;
    counts.sinceMs = record.since_ms ?? undefined;
    counts.recent.restore(record.recent);
    return counts;
  }

  record(): CountsRecord {
    return {
      superseded: this.superseded,
      since_ms: this.sinceMs ?? null,
      total: this.total.record(),
      types: Object.fromEntries([...this.types].map(([name, type]) => [name, type.record()])),
      recent: this.recent.entries(),
    };
  }

  add({ outcome, superseded, timeMs }: LoggedOutcome): void {
    this.sinceMs ??= timeMs;
    if (superseded) {
      this.superseded += 1;
      return;
    }
    this.total.add(outcome);
    this.typeOf(outcome.signal_type).add(outcome);
    if (outcome.status !== 'succeeded' && outcome.status !== 'failed') return;
    const bucket = this.recent.at(timeMs);
    if (!bucket) return;
    bucket.processed += 1;
    if (outcome.status === 'failed') bucket.failed += 1;
  }

  /** The error rate of the last five minutes, in percent. */
  recentErrorRate(nowMs: number): number {
    let processed = 0;
    let failed = 0;
    for (const bucket of this.recent.within(nowMs)) {
      processed += bucket.processed;
      failed += bucket.failed;
    }
    return percent(failed, processed);
  }

  board(position: number, nowMs: number): KaizenBoard {
    const { avg_ms, p95_ms, p99_ms } = this.total.work.figures();
    const types = [...this.types].map(([name, type]) => {
      const durations = { work: type.work.figures(), wait: type.wait.figures() };
      const figures = { ...type.figures(), flow_efficiency_percent: type.flowEfficiency, ...durations };
      return [name, figures] as const;
    });
    return {
      v: WIRE_VERSION,
      ...this.total.figures(),
      avg_duration_ms: avg_ms,
      p95_duration_ms: p95_ms,
      p99_duration_ms: p99_ms,
      error_rate_5m: this.recentErrorRate(nowMs),
      flow_efficiency_percent: this.total.flowEfficiency,
      superseded: this.superseded,
      types: Object.fromEntries(types),
      since: this.sinceMs === undefined ? null : new Date(this.sinceMs).toISOString(),
      position,
    };
  }

  private typeOf(name: string): TypeCounts {
    const known = this.types.get(name);
    if (known) return known;
    const key = this.types.size < MAX_TYPES ? name : OTHER_TYPES;
    const counts = this.types.get(key) ?? new TypeCounts();
    this.types.set(key, counts);
    return counts;
  }
}
