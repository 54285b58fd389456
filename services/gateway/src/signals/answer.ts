import type { IncomingMessage, ServerResponse } from 'node:http';
import { SpanStatusCode } from '@opentelemetry/api';
import type { Static } from '@sinclair/typebox';
import type { Outcome, SpanAttribute } from '@tps/contracts';
import type { Logger, SignalSpan } from '@tps/telemetry';
import type { SignalAnswer } from '../api/schemas';
import { ApiError, sendJson, sendProblem } from '../problem';
import type { Answer } from './idempotent-submissions';

type AnswerBody = Static<typeof SignalAnswer>;

export interface AnswerContext {
  /** False: the caller only wanted to know that it is accepted. */
  waited: boolean;
  /** Its line is stopped. */
  paused: boolean;
}

/** Tells a caller who handed a signal in what became of it. */
export function sendAnswer(
  res: ServerResponse,
  answer: Answer,
  { waited, paused }: AnswerContext,
  span: SignalSpan,
): void {
  const body = answer.kind === 'finished' ? finishedBody(answer.outcome) : openBody(answer, waited, paused);
  span.setAttribute('tps.signal.status' satisfies SpanAttribute, body.status);
  if (body.success === false) span.setStatus({ code: SpanStatusCode.ERROR, message: body.message });
  if (answer.kind === 'open') res.setHeader('location', `/signal/${body.signal_id}`);
  else if (answer.replayed) res.setHeader('idempotency-replayed', 'true');
  if (!waited) res.setHeader('preference-applied', 'respond-async');
  sendJson(res, 202, body);
}

/** Tells a caller why the signal is not taken; on the span only what is the fleet's fault is an error. */
export function sendError(
  req: IncomingMessage,
  res: ServerResponse,
  error: unknown,
  { span, log }: { span: SignalSpan; log: Logger },
): void {
  const { traceId } = span;
  if (error instanceof ApiError) {
    span.setAttribute('error.type' satisfies SpanAttribute, error.code);
    if (error.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    return sendProblem(req, res, error, traceId);
  }
  log.error('request failed', { error, trace_id: traceId });
  span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
  sendProblem(req, res, new ApiError('INTERNAL', 'The gateway failed; the log has the reason.'), traceId);
}

function finishedBody(outcome: Outcome): AnswerBody {
  const { success, status, signal_id, message, trace_id, process_ms: duration_ms } = outcome;
  const body = { success, status, signal_id, message, trace_id, duration_ms } as AnswerBody;
  if (outcome.error_class) body.error_class = outcome.error_class;
  if (outcome.result !== undefined) body.result = outcome.result;
  return body;
}

const MESSAGES = {
  queued: 'Accepted',
  held: 'Paused while its line is stopped',
  processing: 'Not finished yet',
};

function openBody(
  { signal, traceId, later }: Answer & { kind: 'open' },
  waited: boolean,
  paused: boolean,
): AnswerBody {
  const status = later ? 'queued' : paused ? 'held' : waited ? 'processing' : 'queued';
  return {
    success: null,
    status,
    signal_id: signal.id,
    message: `${MESSAGES[status]}; GET /signal/${signal.id} tells what becomes of it`,
    trace_id: traceId,
    duration_ms: 0,
  };
}
