import { randomUUID } from 'node:crypto';
import type { LogStart } from '@tps/bus';
import {
  type AdmitRequest,
  type AdmitVerdict,
  type CircuitRecord,
  DEFAULT_TIMEOUT_MS,
  isOpen,
  type Outcome,
  type ReplyOf,
  type RequestOf,
} from '@tps/contracts';
import type { LineView, LoggedOutcome, TypesView } from '@tps/fleet';
import {
  afterOutcome,
  type CircuitSettings,
  closedCircuit,
  type FollowedLog,
  inLog,
  resumedCircuit,
} from './circuit-transitions';
import type { DefectRecords } from './equal-defects';
import { LineMonitor, WINDOW_MS } from './line-monitor';
import { admitForTrial, grantTrial } from './trials';

const ADMITTED: AdmitVerdict = { ok: true };

/**
 * The circuits of all types. Their records are in the bucket, written by compare-and-set, so that replicas of jidoka
 * decide alike and a restart forgets nothing. Only the monitors, which watch outcomes since the circuit last changed, are
 * kept in memory. They are rebuilt from the log, and continue the record's count of equal defects.
 */
export class Circuits {
  private readonly log: FollowedLog = { created: '', lastSeq: 0 };
  /** From this moment of the log on, every monitor has seen the whole of its window. */
  private wholeFromMs: number | undefined;
  private readonly monitors = new Map<string, { from: number; monitor: LineMonitor }>();
  /** By type: changes of its circuit that are on their way to the bucket. */
  private readonly changing = new Map<string, number>();

  constructor(
    private readonly view: LineView,
    private readonly types: TypesView,
    private readonly settings: CircuitSettings,
    private readonly onChange: (record: CircuitRecord, before: CircuitRecord) => void,
  ) {}

  /** Answers at once, except on a half-open line, where one new signal may be admitted for the trial. */
  admit(request: AdmitRequest): AdmitVerdict | Promise<AdmitVerdict> {
    const now = Date.now();
    const refusal = this.view.refusal(request, now);
    if (!refusal) return ADMITTED;
    const { signal_type, id, failed_before: failedBefore = false } = request;
    if (this.view.state(signal_type, now) !== 'HalfOpen') return refusal;
    return this.change(signal_type, (current) =>
      admitForTrial(current, { id, failedBefore, now: new Date() }),
    ).then((admitted) => (admitted ? ADMITTED : refusal));
  }

  async trial({ signal_type, worker_id, failed_before }: RequestOf<'trial'>): Promise<ReplyOf<'trial'>> {
    if (this.view.state(signal_type) !== 'HalfOpen') return { granted: false };
    const timeoutMs = this.types.get(signal_type)?.timeout_ms ?? DEFAULT_TIMEOUT_MS;
    const claim = { workerId: worker_id, timeoutMs, failedBefore: failed_before ?? false };
    const granted = await this.change(signal_type, (record) =>
      grantTrial(record, { ...claim, now: new Date() }),
    );
    if (!granted?.trial) return { granted: false };
    return { granted: true, epoch: granted.epoch, deadline: granted.trial.deadline };
  }

  /** Closes the circuit for a person. Outcomes of the log up to `position` count no more. */
  async resume(
    { signal_type, reason }: RequestOf<'resumeCircuit'>,
    position: number,
  ): Promise<ReplyOf<'resumeCircuit'>> {
    const resumed = await this.change(signal_type, (record) =>
      resumedCircuit(record, { reason, position, now: new Date() }),
    );
    const record = resumed ?? (await this.view.circuits.read(signal_type))?.value;
    return { resumed: !record || !isOpen(record) };
  }

  /** A log that was replaced or set back begins with fresh monitors; no circuit has accounted for what it will hold. */
  async onStart({ created, lastSeq, replaced }: LogStart): Promise<void> {
    const isSetBack = replaced && created === this.log.created;
    Object.assign(this.log, { created, lastSeq });
    if (!replaced) return;
    this.close();
    this.monitors.clear();
    this.wholeFromMs = undefined;
    if (!isSetBack) return;
    const back = (record: CircuitRecord): CircuitRecord | null =>
      record.log_seq > lastSeq ? { ...record, log_seq: lastSeq } : null;
    for (const type of this.view.circuits.keys()) await this.change(type, back);
  }

  async onOutcome({ outcome, seq, timeMs, superseded }: LoggedOutcome): Promise<void> {
    this.log.lastSeq = Math.max(this.log.lastSeq, seq);
    const type = outcome.signal_type;
    // A retired type has no circuit; reading its past again after a restart must not open one.
    if (superseded || this.types.isRetired(type)) return;
    const circuit = this.view.circuit(type);
    const from = circuit ? inLog(circuit, this.log).log_seq : 0;
    // A restart reads outcomes again that the circuit has accounted for.
    if (seq <= from) return;
    // A process that begins to read in the middle has seen only a part of its first window.
    this.wholeFromMs ??= seq === 1 ? timeMs : timeMs + WINDOW_MS;
    const monitor = this.monitorOf(type, from, circuit?.defects);
    const decision = monitor.take(outcome, timeMs, {
      whole: timeMs >= this.wholeFromMs,
      cleared: isCleared(circuit, outcome),
    });
    if (!decision && outcome.epoch === undefined && !this.mayEndStop(outcome)) return;
    const defects = monitor.defectsAt(timeMs);
    const step = { outcome, seq, at: new Date(timeMs), decision, defects, andonId: randomUUID() };
    await this.change(type, (record) => afterOutcome(record, step, this.settings));
  }

  /** Whether it ends one of the signals that stopped the line. The circuit may be opening at this moment. */
  private mayEndStop({ final, signal_id, signal_type }: Outcome): boolean {
    if (!final) return false;
    const isListed = this.view.circuit(signal_type)?.unfinished?.includes(signal_id) ?? false;
    return isListed || this.changing.has(signal_type);
  }

  /** Forgets a retired type. If it comes back, it begins with a closed circuit and no past. */
  async retire(type: string): Promise<void> {
    await this.view.circuits.remove(type);
    this.forget(type);
  }

  /** Drops what this process has seen of a line. */
  forget(type: string): void {
    this.monitors.get(type)?.monitor.close();
    this.monitors.delete(type);
  }

  close(): void {
    for (const { monitor } of this.monitors.values()) monitor.close();
  }

  /** A circuit that changed, here or by another replica, gets a new monitor. */
  private monitorOf(type: string, from: number, defects?: DefectRecords): LineMonitor {
    const known = this.monitors.get(type);
    if (known?.from === from) return known.monitor;
    known?.monitor.close();
    const monitor = new LineMonitor(this.settings, defects);
    this.monitors.set(type, { from, monitor });
    return monitor;
  }

  /** Applies a change to the circuit as it is now, and once more whenever another replica was faster. */
  private async change(
    type: string,
    apply: (record: CircuitRecord) => CircuitRecord | null,
  ): Promise<CircuitRecord | null> {
    let before = closedCircuit(type, new Date());
    this.changing.set(type, (this.changing.get(type) ?? 0) + 1);
    try {
      const next = await this.view.circuits.update(type, (record) => {
        before = inLog(record ?? before, this.log);
        const changed = apply(before);
        return changed && { ...changed, log: this.log.created };
      });
      if (next) this.onChange(next, before);
      return next;
    } finally {
      const left = (this.changing.get(type) ?? 1) - 1;
      if (left > 0) this.changing.set(type, left);
      else this.changing.delete(type);
    }
  }
}

/** Whether the signal was among those that stopped the line, and the line runs again without it. */
function isCleared(circuit: CircuitRecord | undefined, { signal_id }: Outcome): boolean {
  return circuit !== undefined && !isOpen(circuit) && (circuit.unfinished?.includes(signal_id) ?? false);
}
