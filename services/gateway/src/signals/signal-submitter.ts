import type { Bus } from '@tps/bus';
import {
  encode,
  type AdmitRequest,
  type AdmitVerdict,
  type EnqueueVerdict,
  MAX_BODY_BYTES,
  type Signal,
} from '@tps/contracts';
import type { FleetView, LineView, Logger, TraceHeaders } from '@tps/service';
import { retryWhileRestarting } from '../retry-while-restarting';
import { ApiError } from '../problem';
import { type BackupSignal, BackupPublishError } from '../backup/backup-publisher';
import type { GatewayBackup } from '../backup/gateway-backup';
import { BatchedClient, BatchedRequestError } from './batched-client';

/** A batch with one signal of this size is still below the broker's message limit. */
const MAX_SIGNAL_BYTES = 2 * MAX_BODY_BYTES;
const BROKER_RETRY_MS = 2_000;
/** Not long: without an answer the last known circuits decide, and nothing is lost. */
const ADMIT_LIMIT_MS = 500;
/** Longer: giving up leaves unknown whether the signal was accepted. */
const ENQUEUE_LIMIT_MS = 2_000;
/** With a backup a second copy is put there instead of giving up, and the caller is to hear that soon. */
const BACKED_ENQUEUE_LIMIT_MS = 700;

/** Of a request with a key that was sent to nobody. */
export const EARLIER_UNKNOWN = 'what became of an earlier request with this key cannot be told';

export interface Submitted {
  /** It had been accepted before. */
  duplicate: boolean;
  /** It waits on the backup until NATS or kanban is back: no outcome can be expected soon. */
  later: boolean;
}

export interface SignalSubmitterDeps {
  bus: Bus;
  lines: LineView;
  fleet: FleetView;
  log: Logger;
  /** Absent without a RabbitMQ. */
  backup: GatewayBackup | undefined;
}

type Refusal = EnqueueVerdict & { ok: false };

/** The two questions a signal passes before it is accepted: does its line run, and is there room? */
export class SignalSubmitter {
  private readonly jidoka: BatchedClient<'admit'>;
  private readonly kanban: BatchedClient<'enqueue'>;

  constructor(private readonly deps: SignalSubmitterDeps) {
    const { bus, log, backup } = deps;
    const limitMs = backup ? BACKED_ENQUEUE_LIMIT_MS : ENQUEUE_LIMIT_MS;
    this.jidoka = new BatchedClient(bus, { request: 'admit', limitMs: ADMIT_LIMIT_MS }, log);
    this.kanban = new BatchedClient(bus, { request: 'enqueue', limitMs }, log);
  }

  /** @throws ApiError when the line of the signal's type is stopped */
  async admit(
    { id, signal_type, reply_to }: Pick<Signal, 'id' | 'signal_type' | 'reply_to'>,
    trace: TraceHeaders,
  ): Promise<void> {
    const request: AdmitRequest = { id, signal_type };
    if (!reply_to) request.async = true;
    const verdict = await this.jidoka.ask({ json: encode(request), trace }).catch((error: unknown) => {
      if (error instanceof BatchedRequestError) return this.lastKnown(request);
      throw error;
    });
    if (verdict.ok) return;
    const { code, reason, retry_after_ms: retryAfterMs, andon_id } = verdict;
    throw new ApiError(code, reason, { retryAfterMs, ...(andon_id ? { members: { andon_id } } : {}) });
  }

  /** A signal that cannot be checked against the records may still be accepted: the backup's are looked up first. */
  get backed(): boolean {
    return this.deps.backup?.reachable ?? false;
  }

  /** Nobody can be asked, and nothing but the backup can take a signal: what it does not take was surely not sent. */
  get offline(): boolean {
    return !this.deps.bus.connected;
  }

  /**
   * Resolves when the signal is accepted: it is on disk at a broker.
   * @param unchecked it may have been accepted before, and the records could not be asked
   * @throws ApiError
   */
  async enqueue(signal: Signal, trace: TraceHeaders, unchecked = false): Promise<Submitted> {
    const { backup } = this.deps;
    const json = JSON.stringify(signal);
    // Numbers can grow when they are written out again: 1e20 has 21 digits.
    if (Buffer.byteLength(json) > MAX_SIGNAL_BYTES) {
      throw new ApiError(
        'PAYLOAD_TOO_LARGE',
        `Written out, the signal has more than ${MAX_SIGNAL_BYTES} bytes.`,
      );
    }
    const backupSignal = { id: signal.id, json, trace };
    const skip = unchecked || (backup?.active && !backup.drains);
    const verdict = skip ? unasked(unchecked, this.offline) : await this.append(backupSignal);
    // A refusal for want of room is an answer too.
    if (verdict.ok || verdict.code !== 'NO_BROKER') backup?.taken();
    if (verdict.ok) return { duplicate: verdict.duplicate ?? false, later: false };
    if (verdict.code !== 'NO_BROKER' || !backup) throw refusal(verdict, signal.id);
    const later = !skip || !backup.drains;
    const instead = !skip || this.offline;
    const failed = await this.backUp(backup, backupSignal, verdict, instead);
    if (!failed) return { duplicate: false, later };
    // The other way round: the mode outlasts the fault, and now it is RabbitMQ that is away.
    const last = skip && !unchecked && failed.accepted === false ? await this.append(backupSignal) : failed;
    if (last.ok) return { duplicate: last.duplicate ?? false, later: false };
    throw refusal(last.code === 'NO_BROKER' && last.accepted === false ? failed : last, signal.id);
  }

  close(): void {
    this.jidoka.close();
    this.kanban.close();
  }

  private async backUp(
    backup: GatewayBackup,
    backupSignal: BackupSignal,
    why: Refusal,
    instead: boolean,
  ): Promise<Refusal | null> {
    try {
      await backup.put(backupSignal, instead);
      return null;
    } catch (error) {
      if (!(error instanceof BackupPublishError)) throw error;
      const sure = why.accepted === false && error.arrived === false;
      if (error.full && sure) return { ...why, code: 'KANBAN_FULL', reason: error.message };
      return { ...why, reason: `${why.reason}, and ${error.message}`, accepted: sure ? false : 'unknown' };
    }
  }

  /** With a backup nobody has to wait for a kanban that is being restarted. */
  private append(item: { json: string; trace: TraceHeaders }): Promise<EnqueueVerdict> {
    const { bus, fleet, backup } = this.deps;
    return retryWhileRestarting(
      () => this.ask(item),
      (verdict) => !verdict.ok && verdict.code === 'NO_BROKER' && verdict.accepted === false,
      () => !backup && bus.connected && fleet.of('kanban').length > 0,
    );
  }

  private ask(item: { json: string; trace: TraceHeaders }): Promise<EnqueueVerdict> {
    return this.kanban.ask(item).catch((error: unknown) => {
      if (!(error instanceof BatchedRequestError)) throw error;
      const { message, arrived } = error;
      const code = 'NO_BROKER';
      return { ok: false, code, reason: message, retry_after_ms: BROKER_RETRY_MS, accepted: arrived };
    });
  }

  /** While jidoka is away nobody grants trials, so half-open counts as stopped. */
  private lastKnown(request: AdmitRequest): AdmitVerdict {
    return this.deps.lines.refusal(request, Date.now()) ?? { ok: true };
  }
}

/** The verdict on a signal with which kanban is not bothered: it was sent to nobody. */
function unasked(unchecked: boolean, offline: boolean): Refusal {
  const away = unchecked ? 'the records do not answer' : 'kanban takes no signals';
  const why = offline ? 'not connected to NATS' : away;
  const reason = unchecked ? `${why}: ${EARLIER_UNKNOWN}` : why;
  return { ok: false, code: 'NO_BROKER', reason, retry_after_ms: BROKER_RETRY_MS, accepted: false };
}

/** What the sender of a signal that kanban refused is told. */
export function refusal(verdict: Refusal, id: string): ApiError {
  const { code, reason, retry_after_ms: retryAfterMs, accepted } = verdict;
  if (code === 'KANBAN_FULL') return new ApiError(code, reason, { retryAfterMs });
  const message =
    accepted === false
      ? `${reason}; this request was not accepted`
      : `${reason}; the signal may have been accepted: send it again with the same Idempotency-Key`;
  return new ApiError(code, message, { retryAfterMs, members: { accepted, signal_id: id } });
}
