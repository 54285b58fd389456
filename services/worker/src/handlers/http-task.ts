import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { headersOf } from '@tps/telemetry';
import { TransientError } from '@tps/worker';
import CircuitBreaker from 'opossum';
import type { SpanAttributes, SpanAttribute } from '@tps/contracts';
import type { Task } from './execute';
import { HttpHosts, type HttpHostsOptions, RESET_MS } from './http-hosts';
import { allowedHosts, type HttpRequest, readRequest } from './http-request';

export interface HttpTaskOptions extends HttpHostsOptions {
  allowlist: string;
}

/** Delivers a request to an allowed host, with the signal's id as the idempotency key. */
export class HttpTask {
  private readonly allowed: ReadonlySet<string>;
  private readonly hosts: HttpHosts;
  private readonly agents = {
    'http:': new HttpAgent({ keepAlive: true }),
    'https:': new HttpsAgent({ keepAlive: true }),
  };

  constructor(options: HttpTaskOptions) {
    this.allowed = allowedHosts(options.allowlist);
    this.hosts = new HttpHosts(options);
  }

  readonly run: Task = async (payload, { signal, span, abort, endsAtMs }) => {
    const request = readRequest(payload, this.allowed);
    const agent = this.agents[request.url.protocol as 'http:' | 'https:'];
    const traced = startSpan(request, span);
    Object.assign(request.headers, headersOf(traced), { 'idempotency-key': signal.id });
    try {
      const answer = await this.hosts.deliver({ request, agent, abort, endsAtMs }, signal.trial);
      traced.setAttribute('http.response.status_code' satisfies SpanAttribute, answer.status);
      return answer;
    } catch (error) {
      traced.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
      if (!CircuitBreaker.isOurError(error as Error)) throw error;
      const { host } = request;
      // An earlier retry would use up the attempts of a signal without a single delivery.
      const known = { cause: error, retryAfterMs: RESET_MS, dependency: host };
      throw new TransientError(`circuit of host ${host} open`, known);
    } finally {
      traced.end();
    }
  };

  /** Hosts that get no deliveries at present, because deliveries failed. */
  failing(): string[] {
    return this.hosts.failing();
  }

  close(): void {
    this.hosts.close();
    for (const agent of Object.values(this.agents)) agent.destroy();
  }
}

/** Passes the trace on, so that spans of the host are below this span. */
function startSpan({ method, url }: HttpRequest, parent: Span): Span {
  const attributes: SpanAttributes = {
    'http.request.method': method,
    'server.address': url.hostname,
    'url.scheme': url.protocol.slice(0, -1),
  };
  const context = trace.setSpan(ROOT_CONTEXT, parent);
  return trace.getTracer('tps').startSpan(method, { kind: SpanKind.CLIENT, attributes }, context);
}
