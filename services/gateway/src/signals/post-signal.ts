import type { IncomingMessage, ServerResponse } from 'node:http';
import { SpanKind } from '@opentelemetry/api';
import { type Signal, type SpanAttribute, type SpanAttributes, SPANS, WIRE_VERSION } from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import { callersTrace, type Logger, type SignalSpan, type SignalTracer } from '@tps/telemetry';
import { readJson } from '../api/body';
import { refuseQuery } from '../api/query';
import type { RequestDurations } from '../fleet/gauges';
import { preferences } from '../prefer';
import { header } from '../problem';
import { sendAnswer, sendError } from './answer';
import { identify } from './identity';
import type { SignalTypes } from './signal-types';
import type { IdempotentSubmissions } from './idempotent-submissions';
import { invalidSignal, parseSignal } from './validate';

export interface PostSignalDeps {
  tracer: SignalTracer;
  log: Logger;
  types: SignalTypes;
  lines: LineView;
  submissions: IdempotentSubmissions;
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
  constructor(private readonly deps: PostSignalDeps) {}

  readonly handle = (req: IncomingMessage, res: ServerResponse, client: string): void => {
    const began = performance.now();
    const options = { kind: SpanKind.SERVER, attributes: attributesOf() };
    const span = this.deps.tracer.start(
      SPANS.gateway,
      options,
      callersTrace(header(req, 'traceparent'), header(req, 'tracestate')),
    );
    void this.serve({ req, res, client }, span)
      .catch((error: unknown) => sendError(req, res, error, { span, log: this.deps.log }))
      .finally(() => {
        span.setAttribute('http.response.status_code' satisfies SpanAttribute, res.statusCode).end();
        this.deps.durations.observe('POST', '/signal', res.statusCode, performance.now() - began);
      });
  };

  private async serve({ req, res, client }: Call, span: SignalSpan): Promise<void> {
    const { respondAsync } = preferences(req);
    refuseQuery(req);
    const input = parseSignal(await readJson(req, invalidSignal), respondAsync);
    this.deps.types.check(input);
    const signal: Signal = {
      v: WIRE_VERSION,
      run: 0,
      ...identify(header(req, 'idempotency-key'), client, input),
      ...input,
      created_at: new Date().toISOString(),
    };
    if (!respondAsync) signal.reply_to = this.deps.replyTo;
    const { attributes } = span;
    attributes['tps.signal.id'] = attributes['messaging.message.id'] = signal.id;
    attributes['tps.signal.type'] = signal.signal_type;
    attributes['tps.signal.priority'] = signal.priority;
    const { headers: trace, traceId } = span;
    const { submissions, lines } = this.deps;
    const waited = !respondAsync;
    const answer = await submissions.submit({ signal, trace, traceId, wait: waited, caller: res });
    sendAnswer(res, answer, { waited, paused: lines.state(signal.signal_type) !== 'Closed' }, span);
  }
}

/** All keys from the start: an object that keeps its shape is cheaper to fill. */
function attributesOf(): SpanAttributes {
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
