import type { Bus } from '@tps/bus';
import {
  encodeMessage,
  type AdmitRequest,
  type AdmitVerdict,
  type EnqueueRefusal,
  type EnqueueVerdict,
  MAX_BODY_BYTES,
  type Signal,
} from '@tps/contracts';
import type { FleetView, LineView } from '@tps/fleet';
import type { Logger, TraceHeaders } from '@tps/telemetry';
import type { OfferedSignals } from '../fleet/offered-signals';
import { BackupPublishError, type BackupSignal } from '../backup/backup-publisher';
import type { GatewayBackup } from '../backup/gateway-backup';
import { ApiError } from '../problem';
import { retryWhileRestarting } from '../retry-while-restarting';
import { BatchedClient, BatchedRequestError, type BatchItem } from './batched-client';
import { afterBackup, backupRefusal, isCertainOutage, submitRoute, triesNext } from './submit-route';

/** A batch with one signal of this size still fits into one message of the broker. */
const MAX_SIGNAL_BYTES = 2 * MAX_BODY_BYTES;
const BROKER_RETRY_MS = 2_000;
/** Short: without an answer the last known circuits decide, and nothing is lost. */
const ADMIT_LIMIT_MS = 500;
/** Longer: giving up leaves unknown whether kanban accepted the signal. */
const ENQUEUE_LIMIT_MS = 2_000;
/** With a backup the gateway puts a second copy there instead of giving up, and the caller should hear that soon. */
const BACKED_ENQUEUE_LIMIT_MS = 700;

/** Ends the reason of a refusal with an idempotency key, when nobody could say whether an earlier request was accepted. */
const EARLIER_UNKNOWN = 'the fate of an earlier request with this key cannot be told';

export interface Submitted {
  /** The signal was accepted before. */
  duplicate: boolean;
  /** The signal waits in the backup until NATS and kanban are back: no outcome is to be expected soon. */
  later: boolean;
}

export interface SignalSubmitterDeps {
  bus: Bus;
  lines: LineView;
  fleet: FleetView;
  counts: OfferedSignals;
  log: Logger;
  /** Undefined without RabbitMQ. */
  backup: GatewayBackup | undefined;
}

/** Asks the two questions that decide whether a signal is accepted: does its line run, and is there room? */
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
    { id, signal_type, reply_to, run }: Pick<Signal, 'id' | 'signal_type' | 'reply_to' | 'run'>,
    trace: TraceHeaders,
  ): Promise<void> {
    this.deps.counts.offered.add(signal_type, Date.now());
    const request: AdmitRequest = { id, signal_type };
    if (!reply_to) request.async = true;
    if (run > 0) request.failed_before = true;
    const verdict = await this.jidoka.ask({ json: encodeMessage(request), trace }).catch((error: unknown) => {
      if (error instanceof BatchedRequestError) return this.lastKnown(request);
      throw error;
    });
    if (verdict.ok) return;
    this.deps.counts.refused.add(signal_type, Date.now());
    const { code, reason, retry_after_ms: retryAfterMs, andon_id } = verdict;
    throw new ApiError(code, reason, { retryAfterMs, ...(andon_id ? { members: { andon_id } } : {}) });
  }

  /**
   * Resolves when the signal is accepted, which means that it is on disk at a broker.
   * @param suspect an earlier request with the same key may have run, and the records did not answer: the worker checks
   * them before it runs the signal
   * @throws ApiError
   */
  async enqueue(signal: Signal, trace: TraceHeaders, suspect = false): Promise<Submitted> {
    const { bus, backup } = this.deps;
    const { connected } = bus;
    const item = { id: signal.id, json: jsonOf(signal), trace, suspect };
    const { places, countsAsOutage } = submitRoute({
      hasBackup: backup !== undefined,
      backupMode: backup?.active ?? false,
      backupDrains: backup?.drains ?? false,
      connected,
    });
    let refusal: EnqueueRefusal | undefined;
    for (const place of places) {
      const result =
        place === 'kanban'
          ? await this.askKanban(item)
          : await this.putInBackup(item, refusal ?? notSent(connected), countsAsOutage);
      if (result.ok) return { duplicate: result.duplicate ?? false, later: place === 'backup' };
      refusal = refusal && place === 'kanban' ? afterBackup(refusal, result) : result;
      if (!triesNext(place, result)) break;
    }
    this.countRefusal(signal.signal_type, refusal);
    throw refusalError(refusal ?? notSent(connected), signal.id, suspect);
  }

  close(): void {
    this.jidoka.close();
    this.kanban.close();
  }

  private countRefusal(type: string, refusal: EnqueueRefusal | undefined): void {
    const { refused, full } = this.deps.counts;
    const nowMs = Date.now();
    refused.add(type, nowMs);
    if (refusal?.code === 'KANBAN_FULL') full.add(type, nowMs);
  }

  private async askKanban(item: BatchItem): Promise<EnqueueVerdict> {
    const { bus, fleet, backup } = this.deps;
    // With a backup nobody has to wait for a kanban that restarts.
    const waits = (): boolean => !backup && bus.connected && fleet.of('kanban').length > 0;
    const verdict = await retryWhileRestarting(() => this.askOnce(item), isCertainOutage, waits);
    // A refusal for want of room proves too that kanban works.
    if (verdict.ok || verdict.code !== 'NO_BROKER') backup?.onKanbanTook();
    return verdict;
  }

  private askOnce(item: BatchItem): Promise<EnqueueVerdict> {
    return this.kanban.ask(item).catch((error: unknown) => {
      if (!(error instanceof BatchedRequestError)) throw error;
      return outage(error.message, error.arrived);
    });
  }

  /** @param before why kanban does not have the signal */
  private async putInBackup(
    signal: BackupSignal,
    before: EnqueueRefusal,
    countsAsOutage: boolean,
  ): Promise<EnqueueVerdict> {
    try {
      await this.deps.backup?.publish(signal, countsAsOutage);
      return { ok: true };
    } catch (error) {
      if (error instanceof BackupPublishError) return backupRefusal(before, error);
      throw error;
    }
  }

  /** While jidoka does not answer, it grants no trials either, so half-open counts as stopped. */
  private lastKnown(request: AdmitRequest): AdmitVerdict {
    return this.deps.lines.refusal(request, Date.now()) ?? { ok: true };
  }
}

/** @throws ApiError PAYLOAD_TOO_LARGE */
function jsonOf(signal: Signal): string {
  const json = JSON.stringify(signal);
  // Numbers can grow when they are written out again: 1e20 has 21 digits.
  if (Buffer.byteLength(json) <= MAX_SIGNAL_BYTES) return json;
  const message = `Written out, the signal has more than ${MAX_SIGNAL_BYTES} bytes.`;
  throw new ApiError('PAYLOAD_TOO_LARGE', message);
}

function outage(reason: string, accepted: false | 'unknown'): EnqueueRefusal {
  return { ok: false, code: 'NO_BROKER', reason, retry_after_ms: BROKER_RETRY_MS, accepted };
}

/** The refusal of a signal that was not sent to kanban. */
function notSent(connected: boolean): EnqueueRefusal {
  return outage(connected ? 'kanban takes no signals' : 'not connected to NATS', false);
}

/** Turns a refusal into the error that the sender of the signal gets. */
export function refusalError(refusal: EnqueueRefusal, id: string, suspect = false): ApiError {
  const { code, reason, retry_after_ms, accepted, queue_depth, finished_per_s } = refusal;
  const retryAfterMs = retry_after_ms;
  if (code === 'KANBAN_FULL') {
    return new ApiError(code, reason, {
      retryAfterMs,
      members: { retry_after_ms, queue_depth, finished_per_s },
    });
  }
  const message =
    accepted === false
      ? `${reason}; this request was not accepted${suspect ? `, and ${EARLIER_UNKNOWN}` : ''}`
      : `${reason}; the signal may have been accepted: send it again with the same Idempotency-Key`;
  return new ApiError(code, message, { retryAfterMs, members: { accepted, signal_id: id } });
}
