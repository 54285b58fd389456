import type { IncomingMessage, ServerResponse } from 'node:http';
import { SpanKind } from '@opentelemetry/api';
import { type Bus, encodeHeaders } from '@tps/bus';
import {
  type DeadLetterView,
  MAX_SYNC_TIMEOUT_MS,
  type SpanAttribute,
  type SpanAttributes,
  SPANS,
} from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import { callersTrace, linksTo, type Logger, type SignalSpan, type SignalTracer } from '@tps/telemetry';
import { requestService } from '../request-service';
import { preferences } from '../prefer';
import { ApiError, header } from '../problem';
import { sendAnswer, sendError } from './answer';
import { refusalError, type SignalSubmitter } from './signal-submitter';
import { checkId, type SignalViews } from './signal-view';
import type { Answer } from './idempotent-submissions';
import type { OutcomeWaiter, OutcomeWaiters } from './outcome-waiters';

export interface RequeueSignalDeps {
  bus: Bus;
  tracer: SignalTracer;
  log: Logger;
  submitter: SignalSubmitter;
  waiters: OutcomeWaiters;
  views: SignalViews;
  lines: LineView;
}

const DEAD_LETTER_LIMIT_MS = 3_000;
/** kanban checks the records and its queue before it appends the next run. */
const REQUEUE_LIMIT_MS = 6_000;
/** A deadline itself brings about an outcome (expired, timed out), which should still reach the caller. */
const GRACE_MS = 100;
const NOT_QUEUED = {
  no_letter: 'another request has just requeued it',
  unfinished: 'its last run is not over yet',
  overtaken: 'another run of it was started before',
  invalid: 'no worker could read it',
};

/** Handles `POST /signal/:id/retry`: requeues a signal that failed or expired, from its dead letter. */
export class RequeueSignal {
  constructor(private readonly deps: RequeueSignalDeps) {}

  /** @throws ApiError when there is nothing to requeue */
  async handle(id: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const deadLetter = await this.deadLetterOf(id);
    const span = this.startSpan(req, deadLetter);
    const { lines, log } = this.deps;
    try {
      const waited = !preferences(req).respondAsync;
      const answer = await this.run(deadLetter, waited ? res : null, span);
      sendAnswer(res, answer, { waited, paused: lines.state(deadLetter.signal_type) !== 'Closed' }, span);
    } catch (error) {
      sendError(req, res, error, { span, log });
    } finally {
      span.setAttribute('http.response.status_code' satisfies SpanAttribute, res.statusCode).end();
    }
  }

  private async run(
    deadLetter: DeadLetterView,
    caller: ServerResponse | null,
    span: SignalSpan,
  ): Promise<Answer> {
    const { signal_id: id, signal_type, run, timeout_ms = 0 } = deadLetter;
    // The waiter is there before anything is sent: the outcome may arrive before kanban's reply.
    const limitMs = Math.min(timeout_ms, MAX_SYNC_TIMEOUT_MS) + GRACE_MS;
    const waiter = caller && this.deps.waiters.open(id, Date.now() + limitMs);
    try {
      if (waiter) {
        waiter.fromRun = run + 1;
        caller.once('close', () => waiter.end(null));
      }
      await this.requeue(deadLetter, waiter, span);
      const outcome = await waiter?.outcome;
      if (outcome) return { kind: 'finished', outcome, replayed: false };
      return { kind: 'open', signal: { id, signal_type }, traceId: span.traceId, later: false };
    } finally {
      waiter?.end(null);
    }
  }

  private async requeue(
    { signal_id: id, signal_type, run }: DeadLetterView,
    waiter: OutcomeWaiter | null,
    { headers }: SignalSpan,
  ): Promise<void> {
    const { bus, submitter, waiters } = this.deps;
    const request = waiter ? { id, reply_to: waiters.replyTo } : { id };
    await submitter.admit({ ...request, signal_type, run: run + 1 }, headers);
    const reply = await requestService(bus, 'requeue', request, {
      headers: encodeHeaders(Object.entries(headers)),
      limitMs: REQUEUE_LIMIT_MS,
    });
    if (!reply.queued) {
      if (reply.reason === 'refused') throw refusalError(reply.verdict, id);
      throw new ApiError('NOT_RETRYABLE', `This signal is not requeued: ${NOT_QUEUED[reply.reason]}.`);
    }
    // Another caller requested the same run at the same time, and workers reply to that one.
    if (reply.duplicate && waiter) waiters.follow(waiter);
  }

  private async deadLetterOf(id: string): Promise<DeadLetterView> {
    checkId(id);
    const { bus, views } = this.deps;
    const { letter } = await requestService(bus, 'deadLetter', { id }, { limitMs: DEAD_LETTER_LIMIT_MS });
    if (letter) return letter;
    const { status, final } = await views.show(id);
    if (!final) throw new ApiError('NOT_RETRYABLE', `This signal is not finished: it is ${status}.`);
    const lost = status === 'failed' || status === 'expired';
    const reason = lost ? 'its dead letter is gone' : 'only failed and expired signals are requeued';
    throw new ApiError('NOT_RETRYABLE', `This signal is over: ${status}; ${reason}.`);
  }

  /** Starts a trace, or continues the caller's, with a link to the trace of the run that failed. */
  private startSpan(
    req: IncomingMessage,
    { signal_id, signal_type, run, traceparent }: DeadLetterView,
  ): SignalSpan {
    const attributes: SpanAttributes = {
      'http.request.method': 'POST',
      'http.route': '/signal/:id/retry',
      'messaging.system': 'nats',
      'tps.signal.id': signal_id,
      'tps.signal.type': signal_type,
      'tps.signal.run': run + 1,
    };
    const options = { kind: SpanKind.SERVER, attributes, links: linksTo(traceparent) };
    const parent = callersTrace(header(req, 'traceparent'), header(req, 'tracestate'));
    return this.deps.tracer.start(SPANS.gateway, options, parent);
  }
}
