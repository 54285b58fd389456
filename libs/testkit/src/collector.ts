import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as the collector received it, with attributes as plain values. Ids are lower-case hexadecimal. */
export interface CollectedSpan {
  /** `service.name` of the resource, such as `tps-kanban`. */
  service: string;
  resource: Record<string, unknown>;
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes: Record<string, unknown>;
  links?: { traceId: string; spanId: string }[];
}

interface OtlpAttribute {
  key: string;
  value: Record<string, unknown>;
}
interface OtlpRequest {
  resourceSpans: {
    resource: { attributes: OtlpAttribute[] };
    scopeSpans: {
      spans: (Omit<CollectedSpan, 'service' | 'resource' | 'attributes'> & {
        attributes?: OtlpAttribute[];
      })[];
    }[];
  }[];
}

function plain(attributes: OtlpAttribute[] = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

/** Receives OTLP traces as JSON over HTTP, like Jaeger, and keeps the spans for the test to read. */
export class TraceCollector {
  /** All spans so far, in the order of their arrival. */
  readonly spans: CollectedSpan[] = [];
  private constructor(private readonly server: Server) {}

  /** Listens on a free port of 127.0.0.1. */
  static async start(): Promise<TraceCollector> {
    const server = createServer();
    const collector = new TraceCollector(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        collector.take(JSON.parse(Buffer.concat(chunks).toString()) as OtlpRequest);
        response.setHeader('content-type', 'application/json').end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  /** Address for `JAEGER_ENDPOINT`. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1/traces`;
  }

  /** The spans of one trace so far. */
  ofTrace(traceId: string): CollectedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  /** Closes the port and every connection. */
  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take(request: OtlpRequest): void {
    for (const { resource: given, scopeSpans } of request.resourceSpans) {
      const resource = plain(given.attributes);
      const of = { service: String(resource['service.name']), resource };
      for (const { spans } of scopeSpans) {
        for (const span of spans) this.spans.push({ ...span, ...of, attributes: plain(span.attributes) });
      }
    }
  }
}
