import type { KvView } from '@tps/bus';
import {
  type AdmitRequest,
  type AdmitVerdict,
  type CircuitRecord,
  type ResumeCircuitReply,
  type ResumeCircuitRequest,
  type TrialGrant,
  type TrialRequest,
  type TypeRecord,
} from '@tps/contracts';
import type { LineView, LoggedOutcome } from '@tps/service';
import {
  admitForTrial,
  afterOutcome,
  type CircuitSettings,
  closedCircuit,
  grantTrial,
  resumedCircuit,
} from './circuit';
import { LineMonitor, WINDOW_MS } from './monitor';

const DEFAULT_TIMEOUT_MS = 30_000;
const FINE: AdmitVerdict = { ok: true };

/**
 * All circuits. What they are is in the bucket, written by compare-and-set, so that replicas of jidoka decide alike
 * and a restart forgets nothing; only what a monitor has seen since the last change is kept here, and rebuilt from the
 * log.
 */
export class Lines {
  /** From here on in the log's time every window is known whole. */
  private wholeFromMs: number | undefined;
  private readonly monitors = new Map<string, { from: number; monitor: LineMonitor }>();

  constructor(
    private readonly view: LineView,
    private readonly types: KvView<TypeRecord>,
    private readonly settings: CircuitSettings,
    private readonly onChange: (record: CircuitRecord) => void,
  ) {}

  /** Whether a signal may enter: at once, unless one is to be let in to be tried. */
  admit(request: AdmitRequest): AdmitVerdict | Promise<AdmitVerdict> {
    const now = Date.now();
    const refusal = this.view.refusal(request, now);
    if (!refusal) return FINE;
    const { signal_type, id } = request;
    if (this.view.state(signal_type, now) !== 'HalfOpen') return refusal;
    return this.change(signal_type, (current) => admitForTrial(current, id, new Date())).then((admitted) =>
      admitted ? FINE : refusal,
    );
  }

  async trial({ signal_type, worker_id }: TrialRequest): Promise<TrialGrant> {
    if (this.view.state(signal_type) !== 'HalfOpen') return { granted: false };
    const timeoutMs = this.types.get(signal_type)?.timeout_ms ?? DEFAULT_TIMEOUT_MS;
    const granted = await this.change(signal_type, (record) =>
      grantTrial(record, { workerId: worker_id, timeoutMs, now: new Date() }),
    );
    if (!granted?.trial) return { granted: false };
    return { granted: true, epoch: granted.epoch, deadline: granted.trial.deadline };
  }

  /** A person starts the line again; outcomes of the log up to `position` are its past. */
  async resume({ signal_type, reason }: ResumeCircuitRequest, position: number): Promise<ResumeCircuitReply> {
    const resumed = await this.change(signal_type, (record) =>
      resumedCircuit(record, { reason, position, now: new Date() }),
    );
    const { state } = resumed ?? (await this.view.circuits.read(signal_type))?.value ?? { state: 'closed' };
    return { resumed: state === 'closed' };
  }

  async onOutcome({ outcome, seq, timeMs, superseded }: LoggedOutcome): Promise<void> {
    if (superseded) return;
    const type = outcome.signal_type;
    const from = this.view.circuit(type)?.log_seq ?? 0;
    // Read again after a restart: the circuit has accounted for it.
    if (seq <= from) return;
    // A process that begins to read in the middle has seen only a part of its first window.
    this.wholeFromMs ??= seq === 1 ? timeMs : timeMs + WINDOW_MS;
    const finding = this.monitorOf(type, from).take(outcome, timeMs, timeMs >= this.wholeFromMs);
    if (!finding && outcome.epoch === undefined) return;
    const step = { outcome, seq, at: new Date(timeMs), finding };
    await this.change(type, (record) => afterOutcome(record, step, this.settings));
  }

  close(): void {
    for (const { monitor } of this.monitors.values()) monitor.close();
  }

  /** A line whose circuit changed, here or by another replica, is watched anew. */
  private monitorOf(type: string, from: number): LineMonitor {
    const known = this.monitors.get(type);
    if (known?.from === from) return known.monitor;
    known?.monitor.close();
    const monitor = new LineMonitor(this.settings);
    this.monitors.set(type, { from, monitor });
    return monitor;
  }

  /** Applies a change to the circuit as it is now, again whenever another replica was faster. */
  private async change(
    type: string,
    apply: (record: CircuitRecord) => CircuitRecord | null,
  ): Promise<CircuitRecord | null> {
    const next = await this.view.circuits.update(type, (record) =>
      apply(record ?? closedCircuit(type, new Date())),
    );
    if (next) this.onChange(next);
    return next;
  }
}
