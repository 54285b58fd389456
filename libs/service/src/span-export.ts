import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface SpanExportOptions {
  url: string;
  /** The OTLP `resource` as JSON. */
  resource: string;
  /** Called when spans could not be delivered, once per outage; and when they are again. */
  onState: (problem: string | null) => void;
}

const FLUSH_EVERY_MS = 500;
const POST_LIMIT_MS = 5_000;
/** Spans kept while the collector is slow or away; more are dropped, work is never held up. */
const QUEUE_SPANS = 8_192;
const POST_SPANS = 2_048;

/**
 * Sends spans to an OTLP collector: gathered for a moment, one request at a time over a connection that stays open.
 * What the collector does not take is lost, and counted; nothing here ever delays or fails a signal.
 */
export class SpanExport {
  dropped = 0;
  private queue: string[] = [];
  private timer: NodeJS.Timeout | null = null;
  private sending: Promise<void> | null = null;
  private failing = false;
  private readonly url: URL;
  private readonly agent: HttpAgent;

  constructor(private readonly options: SpanExportOptions) {
    this.url = new URL(options.url);
    const keep = { keepAlive: true, maxSockets: 1 };
    this.agent = this.url.protocol === 'https:' ? new HttpsAgent(keep) : new HttpAgent(keep);
  }

  readonly add = (span: string): void => {
    if (this.queue.length >= QUEUE_SPANS) {
      this.dropped += 1;
      return;
    }
    this.queue.push(span);
    if (this.sending === null) this.next();
  };

  /** Sends what is left, within `limitMs`. */
  async shutdown(limitMs: number): Promise<void> {
    const end = Date.now() + limitMs;
    while (Date.now() < end && (this.queue.length > 0 || this.sending)) {
      const late = new Promise<void>((resolve) => setTimeout(resolve, end - Date.now()).unref());
      await Promise.race([this.sending ?? this.flush(), late]);
      if (this.failing) break;
    }
    if (this.timer) clearTimeout(this.timer);
    this.agent.destroy();
  }

  /** A full request leaves at once, unless the last one was not taken; what is less gathers. */
  private next(): void {
    if (this.queue.length >= POST_SPANS && !this.failing) void this.flush();
    else if (this.queue.length > 0)
      this.timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS).unref();
  }

  private flush(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const spans = this.queue.splice(0, POST_SPANS);
    if (spans.length === 0) return Promise.resolve();
    const body = Buffer.from(
      `{"resourceSpans":[{"resource":${this.options.resource},"scopeSpans":[{"scope":{"name":"tps"},` +
        `"spans":[${spans.join()}]}]}]}`,
    );
    this.sending = this.post(body)
      .then(
        () => this.report(null),
        (error: Error) => {
          this.dropped += spans.length;
          this.report(error.message);
        },
      )
      .finally(() => {
        this.sending = null;
        this.next();
      });
    return this.sending;
  }

  private report(problem: string | null): void {
    if ((problem !== null) === this.failing) return;
    this.failing = problem !== null;
    this.options.onState(problem);
  }

  private post(body: Buffer): Promise<void> {
    const send = this.url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': body.length };
      const request = send(this.url, { method: 'POST', agent: this.agent, headers }, (response) => {
        response.resume();
        response.once('end', () => {
          const { statusCode = 0 } = response;
          if (statusCode < 300) resolve();
          else reject(new SpanExportError(`the collector answered ${statusCode}`));
        });
        response.once('error', reject);
      });
      request.setTimeout(POST_LIMIT_MS, () => request.destroy(new SpanExportError('no answer in time')));
      request.once('error', reject);
      request.end(body);
    });
  }
}

/** The collector did not take spans. */
export class SpanExportError extends Error {
  override readonly name = 'SpanExportError';
}
