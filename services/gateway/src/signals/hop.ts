import type { MsgHdrs } from '@nats-io/transport-node';
import { Batcher, type Bus, encodeHeaders, UnansweredError } from '@tps/bus';
import { ALL_FINE } from '@tps/contracts';
import type { Logger, TraceHeaders } from '@tps/service';
import CircuitBreaker from 'opossum';
import { GUARD } from '../guard';

/** What goes to the other side, already as JSON: it is weighed and sent, and should be encoded once. */
export interface HopItem {
  json: string;
  trace: TraceHeaders;
}

export interface HopTarget {
  name: string;
  subject: string;
  /** How long one request may take. What gathers meanwhile leaves after it: a caller waits for two at most. */
  limitMs: number;
}

/** The other side gave no verdict. `arrived` is `false` when it surely did not get the item. */
export class HopError extends Error {
  override readonly name = 'HopError';
  constructor(
    message: string,
    readonly arrived: false | 'unknown',
  ) {
    super(message);
  }
}

/** A request ends by itself; this much later the breaker settles its trial in any case. */
const BACKSTOP_MS = 1_000;
/** Name, colon, spaces and line ends of the headers of one item. */
const HEADER_BYTES = 100;

/** A batched request to another service, behind a circuit breaker: one message carries what has gathered. */
export class Hop<V> {
  private readonly batcher: Batcher<HopItem, V>;
  private readonly breaker: CircuitBreaker<[HopItem[]], V[]>;

  /** @param fine the verdict on every item of a batch that is answered with `ALL_FINE` */
  constructor(
    private readonly bus: Bus,
    private readonly target: HopTarget,
    private readonly fine: V,
    log: Logger,
  ) {
    this.breaker = new CircuitBreaker((items: HopItem[]) => this.request(items), {
      name: target.name,
      timeout: target.limitMs + BACKSTOP_MS,
      ...GUARD,
    });
    this.breaker.on('open', () => log.warn(`${target.name} does not answer: asking it only now and then`));
    this.breaker.on('close', () => log.info(`${target.name} answers again`));
    this.batcher = new Batcher({ send: (items) => this.send(items), weigh });
  }

  /** @throws HopError */
  ask(item: HopItem): Promise<V> {
    return this.batcher.push(item);
  }

  close(): void {
    this.breaker.shutdown();
  }

  private async send(items: HopItem[]): Promise<V[]> {
    // Not the other side's failure: the breaker would stay open for a while after the reconnect.
    if (!this.bus.connected) throw new HopError('not connected to NATS', false);
    try {
      return await this.breaker.fire(items);
    } catch (error) {
      throw this.explain(error);
    }
  }

  private async request(items: HopItem[]): Promise<V[]> {
    const body = `[${items.map(({ json }) => json).join(',')}]`;
    const headers = traceHeaders(items);
    const { subject, limitMs } = this.target;
    const msg = await this.bus.request(subject, body, { timeoutMs: limitMs, headers });
    const reply: unknown = msg.json();
    if (reply === ALL_FINE) return items.map(() => this.fine);
    if (Array.isArray(reply) && reply.length === items.length) return reply as V[];
    throw new HopError(`${this.target.name} gave an answer that does not fit`, 'unknown');
  }

  private explain(error: unknown): HopError {
    if (error instanceof HopError) return error;
    const { name } = this.target;
    const nobody = error instanceof UnansweredError && error.nobody;
    if (nobody || (error as { code?: string }).code === 'EOPENBREAKER') {
      return new HopError(`${name} is away`, false);
    }
    return new HopError(`${name} did not answer in time`, 'unknown');
  }
}

function weigh({ json, trace }: HopItem): number {
  return Buffer.byteLength(json) + HEADER_BYTES + (trace.tracestate?.length ?? 0);
}

/** One value per item, in order; `tracestate` only when any item has one, as it then must have as many values. */
function traceHeaders(items: HopItem[]): MsgHdrs {
  const parents = items.map(({ trace }) => ['traceparent', trace.traceparent] as const);
  if (!items.some(({ trace }) => trace.tracestate)) return encodeHeaders(parents);
  const states = items.map(({ trace }) => ['tracestate', trace.tracestate ?? ''] as const);
  return encodeHeaders([...parents, ...states]);
}
