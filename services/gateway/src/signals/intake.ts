import type { Bus } from '@tps/bus';
import {
  type AdmitRequest,
  type AdmitVerdict,
  type EnqueueVerdict,
  MAX_BODY_BYTES,
  type Signal,
} from '@tps/contracts';
import type { LineView, Logger, TraceHeaders } from '@tps/service';
import { ApiError } from '../problem';
import { Hop, HopError } from './hop';

/** A batch with one signal of this size is still below the broker's message limit. */
const MAX_SIGNAL_BYTES = 2 * MAX_BODY_BYTES;
const BROKER_RETRY_MS = 2_000;
/** Not long: without an answer the last known circuits decide, and nothing is lost. */
const ADMIT_LIMIT_MS = 500;
/** Longer: giving up leaves unknown whether the signal was accepted. */
const ENQUEUE_LIMIT_MS = 2_000;

/** The two questions a signal passes before it is accepted: does its line run, and is there room? */
export class Intake {
  private readonly jidoka: Hop<AdmitVerdict>;
  private readonly kanban: Hop<EnqueueVerdict>;

  constructor(
    bus: Bus,
    private readonly lines: LineView,
    log: Logger,
  ) {
    const { admit, enqueue } = bus.names.subjects;
    const jidoka = { name: 'jidoka', subject: admit, limitMs: ADMIT_LIMIT_MS };
    const kanban = { name: 'kanban', subject: enqueue, limitMs: ENQUEUE_LIMIT_MS };
    this.jidoka = new Hop<AdmitVerdict>(bus, jidoka, { ok: true }, log);
    this.kanban = new Hop<EnqueueVerdict>(bus, kanban, { ok: true }, log);
  }

  /** @throws ApiError when the line of the signal's type is stopped */
  async admit({ id, signal_type, reply_to }: Signal, trace: TraceHeaders): Promise<void> {
    const request: AdmitRequest = { id, signal_type };
    if (!reply_to) request.async = true;
    const verdict = await this.jidoka
      .ask({ json: JSON.stringify(request), trace })
      .catch((error: unknown) => {
        if (error instanceof HopError) return this.lastKnown(request);
        throw error;
      });
    if (!verdict.ok)
      throw new ApiError(verdict.code, verdict.reason, { retryAfterMs: verdict.retry_after_ms });
  }

  /**
   * Resolves when the signal is accepted: it is on disk at the broker.
   * @returns whether it had been accepted before
   * @throws ApiError
   */
  async enqueue(signal: Signal, trace: TraceHeaders): Promise<{ duplicate: boolean }> {
    const json = JSON.stringify(signal);
    // Numbers can grow when they are written out again: 1e20 has 21 digits.
    if (Buffer.byteLength(json) > MAX_SIGNAL_BYTES) {
      throw new ApiError(
        'PAYLOAD_TOO_LARGE',
        `Written out, the signal has more than ${MAX_SIGNAL_BYTES} bytes.`,
      );
    }
    const verdict = await this.append({ json, trace });
    if (verdict.ok) return { duplicate: verdict.duplicate ?? false };
    throw refusal(verdict, signal.id);
  }

  close(): void {
    this.jidoka.close();
    this.kanban.close();
  }

  /** Where a backup queue takes over: whenever the verdict is `NO_BROKER`. */
  private append(item: { json: string; trace: TraceHeaders }): Promise<EnqueueVerdict> {
    return this.kanban.ask(item).catch((error: unknown) => {
      if (!(error instanceof HopError)) throw error;
      const { message, arrived } = error;
      const code = 'NO_BROKER';
      return { ok: false, code, reason: message, retry_after_ms: BROKER_RETRY_MS, accepted: arrived };
    });
  }

  /** While jidoka is away nobody grants trials, so half-open counts as stopped. */
  private lastKnown(request: AdmitRequest): AdmitVerdict {
    return this.lines.refusal(request, Date.now()) ?? { ok: true };
  }
}

function refusal(verdict: EnqueueVerdict & { ok: false }, id: string): ApiError {
  const { code, reason, retry_after_ms: retryAfterMs, accepted } = verdict;
  if (code === 'KANBAN_FULL') return new ApiError(code, reason, { retryAfterMs });
  const message =
    accepted === false
      ? `${reason}; the signal was not accepted`
      : `${reason}; the signal may have been accepted: send it again with the same Idempotency-Key`;
  return new ApiError(code, message, { retryAfterMs, members: { accepted, signal_id: id } });
}
