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
/** At full load this is some 1,500 spans, a third of a second of a service. */
const POST_BYTES = 1_048_576;
/** Requests kept while the collector is slow or away; further spans are dropped, work is never held up. */
const QUEUE_POSTS = 6;

/**
 * Sends spans to an OTLP collector. Spans gather for a moment, and one request at a time leaves over a connection that
 * stays open. Spans that the collector refuses are lost and counted. Nothing here ever delays or fails a signal.
 */
export class SpanExport {
  dropped = 0;
  private filling: Post;
  private readonly full: Post[] = [];
  /** Kept for the next one, so that a busy process does not allocate a megabyte three times a second. */
  private spare: Post | null = null;
  private timer: NodeJS.Timeout | null = null;
  private sending: Promise<void> | null = null;
  private failing = false;
  private readonly url: URL;
  private readonly agent: HttpAgent;

  constructor(private readonly options: SpanExportOptions) {
    this.url = new URL(options.url);
    const keep = { keepAlive: true, maxSockets: 1 };
    this.agent = this.url.protocol === 'https:' ? new HttpsAgent(keep) : new HttpAgent(keep);
    this.filling = new Post(options.resource);
  }

  readonly add = (span: string): void => {
    if (!this.filling.append(span) && !this.another().append(span)) this.dropped += 1;
    if (this.sending === null) this.next();
  };

  /** Sends the remaining spans, within `limitMs`. */
  async shutdown(limitMs: number): Promise<void> {
    const end = Date.now() + limitMs;
    while (Date.now() < end && (this.full.length > 0 || this.filling.spans > 0 || this.sending)) {
      const late = new Promise<void>((resolve) => setTimeout(resolve, end - Date.now()).unref());
      await Promise.race([this.sending ?? this.flush(), late]);
      if (this.failing) break;
    }
    if (this.timer) clearTimeout(this.timer);
    this.agent.destroy();
  }

  /** The request for a span that the current one has no room for. It stays the same one while the queue is full. */
  private another(): Post {
    if (this.full.length + 1 < QUEUE_POSTS && this.filling.spans > 0) {
      this.full.push(this.filling);
      this.filling = this.empty();
    }
    return this.filling;
  }

  private empty(): Post {
    const post = this.spare ?? new Post(this.options.resource);
    this.spare = null;
    return post;
  }

  /** Sends a full request at once, unless the collector refused the last one. A smaller request waits for more spans. */
  private next(): void {
    if (this.full.length > 0 && !this.failing) void this.flush();
    else if (this.full.length > 0 || this.filling.spans > 0)
      this.timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS).unref();
  }

  private flush(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const post = this.full.shift() ?? this.filling;
    if (post.spans === 0) return Promise.resolve();
    if (post === this.filling) this.filling = this.empty();
    this.sending = this.post(post.body())
      .then(
        () => {
          this.spare = post.emptied();
          this.report(null);
        },
        (error: Error) => {
          this.dropped += post.spans;
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
class SpanExportError extends Error {
  override readonly name = 'SpanExportError';
}

const END = ']}]}]}';

/**
 * One request in the making. Each span is written into its bytes as it ends: spans kept as strings until the request
 * leaves took most of the garbage collector's time.
 */
class Post {
  spans = 0;
  private readonly bytes = Buffer.allocUnsafeSlow(POST_BYTES);
  private readonly begin: number;
  private used: number;

  constructor(resource: string) {
    this.begin = this.bytes.write(
      `{"resourceSpans":[{"resource":${resource},"scopeSpans":[{"scope":{"name":"tps"},"spans":[`,
    );
    this.used = this.begin;
  }

  /** @returns whether it had room */
  append(span: string): boolean {
    const room = POST_BYTES - this.used - END.length - 1;
    // No character takes more than three bytes, so that most need not be measured.
    if (span.length * 3 > room && Buffer.byteLength(span) > room) return false;
    if (this.spans > 0) this.used += this.bytes.write(',', this.used);
    this.used += this.bytes.write(span, this.used);
    this.spans += 1;
    return true;
  }

  body(): Buffer {
    return this.bytes.subarray(0, this.used + this.bytes.write(END, this.used));
  }

  emptied(): this {
    this.used = this.begin;
    this.spans = 0;
    return this;
  }
}
