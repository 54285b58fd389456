import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import { Batcher, type Bus, encodeHeaders, NoReplyError } from '@tps/bus';
import { ALL_FINE, type BatchName, parseReply, type ReplyOf, REQUESTS, SUSPECT_HEADER } from '@tps/contracts';
import type { Logger, TraceHeaders } from '@tps/telemetry';
import CircuitBreaker from 'opossum';
import { BREAKER_OPTIONS } from '../breaker-options';

/** An item of a batch, already as JSON: it is weighed and sent, and encoded only once. */
export interface BatchItem {
  json: string;
  trace: TraceHeaders;
  /** A signal that may have run before. */
  suspect?: boolean;
}

type VerdictOf<N extends BatchName> = Extract<ReplyOf<N>, unknown[]>[number];

export interface BatchTarget<N extends BatchName> {
  request: N;
  /** How long one request may take. Items that gather meanwhile leave after it, so a caller waits for two at most. */
  limitMs: number;
}

/** The other side gave no verdict. `arrived` is `false` when it surely did not get the item. */
export class BatchedRequestError extends Error {
  override readonly name = 'BatchedRequestError';
  constructor(
    message: string,
    readonly arrived: false | 'unknown',
  ) {
    super(message);
  }
}

/** The verdict on every item of a batch that is answered with `ALL_FINE`. */
const FINE = { ok: true };
/** A request ends by itself; this much later the breaker settles its trial in any case. */
const BACKSTOP_MS = 1_000;
/** Name, colon, spaces and line ends of the headers of one item. */
const HEADER_BYTES = 100;

/** A batched request to another service, behind a circuit breaker: one message carries what has gathered. */
export class BatchedClient<N extends BatchName> {
  private readonly batcher: Batcher<BatchItem, VerdictOf<N>>;
  private readonly breaker: CircuitBreaker<[BatchItem[]], VerdictOf<N>[]>;
  /** The name of the service that is asked. */
  private readonly name: string;

  constructor(
    private readonly bus: Bus,
    private readonly target: BatchTarget<N>,
    log: Logger,
  ) {
    this.name = REQUESTS[target.request].service;
    this.breaker = new CircuitBreaker((items: BatchItem[]) => this.request(items), {
      name: this.name,
      timeout: target.limitMs + BACKSTOP_MS,
      ...BREAKER_OPTIONS,
    });
    this.breaker.on('open', () => log.warn(`${this.name} does not answer: asking it only now and then`));
    this.breaker.on('close', () => log.info(`${this.name} answers again`));
    this.batcher = new Batcher({ send: (items) => this.send(items), weigh });
  }

  /** @throws BatchedRequestError */
  ask(item: BatchItem): Promise<VerdictOf<N>> {
    return this.batcher.push(item);
  }

  close(): void {
    this.breaker.shutdown();
  }

  private async send(items: BatchItem[]): Promise<VerdictOf<N>[]> {
    // Not the other side's failure: the breaker would stay open for a while after the reconnect.
    if (!this.bus.connected) throw new BatchedRequestError('not connected to NATS', false);
    try {
      return await this.breaker.fire(items);
    } catch (error) {
      throw this.explain(error);
    }
  }

  private async request(items: BatchItem[]): Promise<VerdictOf<N>[]> {
    const body = `[${items.map(({ json }) => json).join(',')}]`;
    const headers = headersOf(items);
    const { request, limitMs } = this.target;
    const subject = this.bus.names.subjects[request];
    const reply = this.read(await this.bus.request(subject, body, { timeoutMs: limitMs, headers }));
    if (reply === ALL_FINE) return items.map(() => FINE as VerdictOf<N>);
    const verdicts = reply as VerdictOf<N>[];
    if (verdicts.length === items.length) return verdicts;
    throw new BatchedRequestError(
      `${this.name} gave ${verdicts.length} verdicts on ${items.length} signals`,
      'unknown',
    );
  }

  private read(msg: Msg): ReplyOf<N> {
    try {
      return parseReply(this.target.request, msg);
    } catch (error) {
      throw new BatchedRequestError(`${this.name} could not answer: ${(error as Error).message}`, 'unknown');
    }
  }

  private explain(error: unknown): BatchedRequestError {
    if (error instanceof BatchedRequestError) return error;
    const { name } = this;
    const nobody = error instanceof NoReplyError && error.undelivered;
    if (nobody || (error as { code?: string }).code === 'EOPENBREAKER') {
      return new BatchedRequestError(`${name} is away`, false);
    }
    return new BatchedRequestError(`${name} did not answer in time`, 'unknown');
  }
}

function weigh({ json, trace }: BatchItem): number {
  return Buffer.byteLength(json) + HEADER_BYTES + (trace.tracestate?.length ?? 0);
}

/** One value per item, in order. A header that no item needs is absent, which saves its bytes on the ordinary path. */
function headersOf(items: BatchItem[]): MsgHdrs {
  const entries = items.map(({ trace }): [string, string] => ['traceparent', trace.traceparent]);
  if (items.some(({ trace }) => trace.tracestate)) {
    for (const { trace } of items) entries.push(['tracestate', trace.tracestate ?? '']);
  }
  if (items.some(({ suspect }) => suspect)) {
    for (const { suspect } of items) entries.push([SUSPECT_HEADER, suspect ? '1' : '0']);
  }
  return encodeHeaders(entries);
}
