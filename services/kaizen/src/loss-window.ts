import type { KaizenSnapshot, LossesRecord, Outcome } from '@tps/contracts';
import { type LoggedOutcome, RollingWindow } from '@tps/fleet';

const WINDOW = { bucketMs: 300_000, buckets: 12 };
export const LOSS_WINDOW_MS = WINDOW.bucketMs * WINDOW.buckets;
/** Limits of one bucket. Further types and groups are left out, since the frequent ones come early. */
const MAX_TYPES = 256;
const MAX_GROUPS = 20;

/** Failures that count as equal. */
export interface FailureGroup {
  count: number;
  message: string;
  trace_id: string;
}

const FIGURES = [
  'processed',
  'failed',
  'rejected',
  'expired',
  'retried',
  'workMs',
  'waitMs',
  'reworkMs',
] as const;

/** The losses of one type, and what they are measured against. */
export class TypeLosses {
  processed = 0;
  failed = 0;
  rejected = 0;
  expired = 0;
  retried = 0;
  workMs = 0;
  waitMs = 0;
  /** Work of attempts that failed and were retried. */
  reworkMs = 0;
  longestWait: { ms: number; trace_id: string } | undefined;
  /** By fingerprint, or by error class where there is none. */
  groups = { failed: new Map<string, FailureGroup>(), rejected: new Map<string, FailureGroup>() };

  static restore({
    work_ms,
    wait_ms,
    rework_ms,
    longest_wait,
    groups,
    ...counted
  }: LossesRecord): TypeLosses {
    return Object.assign(new TypeLosses(), {
      ...counted,
      workMs: work_ms,
      waitMs: wait_ms,
      reworkMs: rework_ms,
      longestWait: longest_wait,
      groups: {
        failed: new Map(Object.entries(groups.failed)),
        rejected: new Map(Object.entries(groups.rejected)),
      },
    });
  }

  record(): LossesRecord {
    const { processed, failed, rejected, expired, retried, workMs, waitMs, reworkMs, longestWait } = this;
    return {
      ...{ processed, failed, rejected, expired, retried },
      ...{ work_ms: workMs, wait_ms: waitMs, rework_ms: reworkMs },
      ...(longestWait ? { longest_wait: longestWait } : {}),
      groups: {
        failed: Object.fromEntries(this.groups.failed),
        rejected: Object.fromEntries(this.groups.rejected),
      },
    };
  }

  add(outcome: Outcome): void {
    const { status, process_ms, wait_ms, trace_id } = outcome;
    if (status === 'succeeded' || status === 'failed') {
      this.processed += 1;
      this.workMs += process_ms;
      this.waitMs += wait_ms;
      if (wait_ms > (this.longestWait?.ms ?? 0)) this.longestWait = { ms: wait_ms, trace_id };
    }
    if (status === 'retrying') {
      this.retried += 1;
      this.reworkMs += process_ms;
    }
    if (status === 'failed' || status === 'rejected' || status === 'expired') this[status] += 1;
    if (status !== 'failed' && status !== 'rejected') return;
    const key = outcome.fingerprint ?? outcome.error_class ?? status;
    addGroup(this.groups[status], key, { count: 1, message: outcome.message, trace_id });
  }

  merge(other: TypeLosses): void {
    for (const figure of FIGURES) this[figure] += other[figure];
    if ((other.longestWait?.ms ?? 0) > (this.longestWait?.ms ?? 0)) this.longestWait = other.longestWait;
    for (const status of ['failed', 'rejected'] as const) {
      for (const [key, group] of other.groups[status]) addGroup(this.groups[status], key, group);
    }
  }
}

function addGroup(groups: Map<string, FailureGroup>, key: string, group: FailureGroup): void {
  const known = groups.get(key);
  if (known) groups.set(key, { ...group, count: known.count + group.count });
  else if (groups.size < MAX_GROUPS) groups.set(key, group);
}

/** The losses of the last hour, by type: a projection of the log, so all replicas have the same. */
export class LossWindow {
  private readonly window = new RollingWindow({ ...WINDOW, empty: () => new Map<string, TypeLosses>() });

  static restore(record: KaizenSnapshot['losses']): LossWindow {
    const losses = new LossWindow();
    const entries = record.map(({ slot, bucket }) => {
      const types = Object.entries(bucket).map(([type, lost]) => [type, TypeLosses.restore(lost)] as const);
      return { slot, bucket: new Map(types) };
    });
    losses.window.restore(entries);
    return losses;
  }

  record(): KaizenSnapshot['losses'] {
    return this.window.entries().map(({ slot, bucket }) => {
      const types = [...bucket].map(([type, losses]) => [type, losses.record()] as const);
      return { slot, bucket: Object.fromEntries(types) };
    });
  }

  add({ outcome, superseded, timeMs }: LoggedOutcome): void {
    const bucket = superseded ? undefined : this.window.at(timeMs);
    if (!bucket) return;
    const losses = bucket.get(outcome.signal_type) ?? new TypeLosses();
    if (!bucket.has(outcome.signal_type) && bucket.size >= MAX_TYPES) return;
    bucket.set(outcome.signal_type, losses);
    losses.add(outcome);
  }

  byType(nowMs: number): Map<string, TypeLosses> {
    const all = new Map<string, TypeLosses>();
    for (const bucket of this.window.within(nowMs)) {
      for (const [type, losses] of bucket) {
        const sum = all.get(type) ?? new TypeLosses();
        all.set(type, sum);
        sum.merge(losses);
      }
    }
    return all;
  }
}
