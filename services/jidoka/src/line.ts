import { type KvValue, type KvView } from '@tps/bus';
import {
  type AdmitVerdict,
  type CircuitRecord,
  circuitState,
  type TrialGrant,
  type TrialRequest,
  type TypeRecord,
} from '@tps/contracts';
import type { LoggedOutcome } from '@tps/service';
import {
  admitForTrial,
  afterOutcome,
  type CircuitSettings,
  closedCircuit,
  grantTrial,
  verdictOf,
} from './circuit';

const MAX_CONFLICTS = 10;
const SOON_MS = 1_000;
const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * All circuits. What they are is in the bucket, written by compare-and-set, so that replicas of jidoka decide alike
 * and a restart forgets nothing; only the count of failures in a row is kept here, and rebuilt from the log.
 */
export class Lines {
  private readonly failures = new Map<string, number>();
  /** Changes of one circuit happen one after the other. */
  private readonly changing = new Map<string, Promise<unknown>>();

  constructor(
    private readonly circuits: KvView<CircuitRecord>,
    private readonly types: KvView<TypeRecord>,
    private readonly settings: CircuitSettings,
    private readonly onChange: (record: CircuitRecord) => void,
  ) {}

  /** Whether a signal of this type may enter. On a running line this is a look into a map. */
  async admit(type: string, id: string): Promise<AdmitVerdict> {
    const record = this.circuits.get(type);
    const state = circuitState(record, Date.now());
    if (!record || state === 'Closed') return { ok: true };
    if (state === 'HalfOpen') {
      const admitted = await this.change(type, (current) => admitForTrial(current, id, new Date()));
      if (admitted) return { ok: true };
    }
    const left = record.until ? Date.parse(record.until) - Date.now() : 0;
    return {
      ok: false,
      code: 'CIRCUIT_OPEN',
      reason: record.reason,
      retry_after_ms: Math.max(left, SOON_MS),
    };
  }

  async trial({ signal_type, worker_id }: TrialRequest): Promise<TrialGrant> {
    const timeoutMs = this.types.get(signal_type)?.timeout_ms ?? DEFAULT_TIMEOUT_MS;
    const granted = await this.change(signal_type, (record) =>
      grantTrial(record, { workerId: worker_id, timeoutMs, now: new Date() }),
    );
    if (!granted?.trial) return { granted: false };
    return { granted: true, epoch: granted.epoch, deadline: granted.trial.deadline };
  }

  async onOutcome({ outcome, seq, timeMs, superseded }: LoggedOutcome): Promise<void> {
    if (superseded) return;
    const type = outcome.signal_type;
    const failures = this.count(type, outcome);
    const step = { outcome, seq, at: new Date(timeMs), failures };
    const decides = outcome.epoch !== undefined || failures >= this.settings.threshold;
    if (decides) await this.change(type, (record) => afterOutcome(record, step, this.settings));
  }

  private count(type: string, outcome: LoggedOutcome['outcome']): number {
    const verdict = verdictOf(outcome);
    const before = this.failures.get(type) ?? 0;
    const failures = verdict === 'bad' ? before + 1 : verdict === 'good' ? 0 : before;
    this.failures.set(type, failures);
    return verdict === 'bad' ? failures : 0;
  }

  /** Applies a change to the circuit as it is now, again whenever another replica was faster. */
  private change(
    type: string,
    apply: (record: CircuitRecord) => CircuitRecord | null,
  ): Promise<CircuitRecord | null> {
    const before = this.changing.get(type) ?? Promise.resolve();
    const done = before.catch(() => undefined).then(() => this.changeNow(type, apply));
    this.changing.set(type, done);
    return done;
  }

  private async changeNow(
    type: string,
    apply: (record: CircuitRecord) => CircuitRecord | null,
  ): Promise<CircuitRecord | null> {
    for (let conflict = 0; conflict < MAX_CONFLICTS; conflict += 1) {
      const entry = conflict === 0 ? this.circuits.entry(type) : await this.circuits.read(type);
      const { value, revision }: KvValue<CircuitRecord> = entry ?? {
        value: closedCircuit(type, new Date()),
        revision: 0,
      };
      const next = apply(value);
      if (!next) return null;
      if ((await this.circuits.swap(type, next, revision)) === null) continue;
      // A line that changed starts counting anew.
      if (next.state !== value.state) this.failures.set(type, 0);
      this.onChange(next);
      return next;
    }
    return null;
  }
}
