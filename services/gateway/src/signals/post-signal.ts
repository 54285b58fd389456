import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Attributes, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { type Signal, SPANS, WIRE_VERSION } from '@tps/contracts';
import { callersTrace, type LineView, type Logger, type SignalSpan, type SignalTracer } from '@tps/service';
import { readJson } from '../api/body';
import type { RequestDurations } from '../fleet/gauges';
import { preferences } from '../prefer';
import { ApiError, header, sendJson, sendProblem } from '../problem';
import { answerBody } from './answer';
import { identify } from './identity';
import type { SignalTypes } from './signal-types';
import type { Answer, Submissions } from './submissions';
import { parseSignal } from './validate';

export interface PostSignalParts {
  tracer: SignalTracer;
  log: Logger;
  types: SignalTypes;
  lines: LineView;
  submissions: Submissions;
  durations: RequestDurations;
  /** Where workers send outcomes for callers of this gateway. */
  replyTo: string;
}

interface Call {
  req: IncomingMessage;
  res: ServerResponse;
  client: string;
}

/** `POST /signal` as a plain request listener: express on this route costs four times the rest of the gateway. */
export class PostSignal {
  constructor(private readonly parts: PostSignalParts) {}

  readonly handle = (req: IncomingMessage, res: ServerResponse, client: string): void => {
    const began = performance.now();
    const options = { kind: SpanKind.SERVER, attributes: attributesOf() };
    const span = this.parts.tracer.start(
      SPANS.gateway,
      options,
      callersTrace(header(req, 'traceparent'), header(req, 'tracestate')),
    );
    void this.serve({ req, res, client }, span)
      .catch((error: unknown) => this.refuse(req, res, error, span))
      .finally(() => {
        span.setAttribute('http.response.status_code', res.statusCode).end();
        this.parts.durations.observe('POST', '/signal', res.statusCode, performance.now() - began);
      });
  };

  private async serve({ req, res, client }: Call, span: SignalSpan): Promise<void> {
    const { respondAsync } = preferences(req);
    const input = parseSignal(await readJson(req), respondAsync);
    this.parts.types.check(input);
    const signal: Signal = {
      v: WIRE_VERSION,
      run: 0,
      ...identify(header(req, 'idempotency-key'), client, input),
      ...input,
      created_at: new Date().toISOString(),
    };
    if (!respondAsync) signal.reply_to = this.parts.replyTo;
    const { attributes } = span;
    attributes['tps.signal.id'] = attributes['messaging.message.id'] = signal.id;
    attributes['tps.signal.type'] = signal.signal_type;
    attributes['tps.signal.priority'] = signal.priority;
    const { headers: trace, traceId } = span;
    const wait = !respondAsync;
    this.reply(
      res,
      await this.parts.submissions.submit({ signal, trace, traceId, wait, caller: res }),
      wait,
      span,
    );
  }

  private reply(res: ServerResponse, answer: Answer, waited: boolean, span: SignalSpan): void {
    const body = answerBody(answer, waited, answer.kind === 'open' && this.isHeld(answer.signal.signal_type));
    span.setAttribute('tps.signal.status', body.status);
    if (body.success === false) span.setStatus({ code: SpanStatusCode.ERROR, message: body.message });
    if (answer.kind === 'open') res.setHeader('location', `/signal/${body.signal_id}`);
    if (!waited) res.setHeader('preference-applied', 'respond-async');
    sendJson(res, 202, body);
  }

  private isHeld(type: string): boolean {
    return this.parts.lines.state(type) !== 'Closed';
  }

  private refuse(req: IncomingMessage, res: ServerResponse, error: unknown, span: SignalSpan): void {
    const { traceId } = span;
    if (error instanceof ApiError) {
      span.setAttribute('error.type', error.code);
      if (error.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      return sendProblem(req, res, error, traceId);
    }
    this.parts.log.error('request failed', { error, trace_id: traceId });
    span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
    sendProblem(req, res, new ApiError('INTERNAL', 'The gateway failed; the log has the reason.'), traceId);
  }
}

/** All keys from the start: an object that keeps its shape is cheaper to fill. */
function attributesOf(): Attributes {
  return {
    'http.request.method': 'POST',
    'http.route': '/signal',
    'http.response.status_code': undefined,
    'messaging.system': 'nats',
    'messaging.operation.type': 'send',
    'messaging.message.id': undefined,
    'tps.signal.id': undefined,
    'tps.signal.type': undefined,
    'tps.signal.priority': undefined,
    'tps.signal.status': undefined,
  };
}
