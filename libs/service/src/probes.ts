import { createServer, type Server } from 'node:http';
import { describeThrown } from '@tps/telemetry';
import type { Registry } from 'prom-client';
import { listen } from './listen';

/** Returns the reasons why the service cannot work now; empty if it can. */
export type ReadinessCheck = () => string[];

/**
 * Serves `/metrics` in Prometheus text, `/health/live` (the event loop turns; it asks no dependency, or an outage of the
 * broker would restart the fleet) and `/health/ready`.
 */
export async function serveProbes(
  { port, TPS_BIND }: { port: number; TPS_BIND: string },
  registry: Registry,
  readiness: ReadinessCheck,
): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const path = request.url?.split('?')[0];
    if (path === '/health/live') return answer(200, { live: true });
    if (path === '/health/ready') return answer(...readinessAnswer(readiness()));
    if (path !== '/metrics') return answer(404, { message: 'try /metrics, /health/live, /health/ready' });
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      // Metrics that handlers register may throw anything.
      (error: unknown) => answer(500, { message: describeThrown(error).message }),
    );
  });
  await listen(server, port, { TPS_BIND });
  return server;
}

/** The HTTP status and body that tell a probe whether a service is ready, and why not. */
export function readinessAnswer(reasons: string[]): [status: number, body: object] {
  return reasons.length === 0 ? [200, { ready: true }] : [503, { ready: false, reasons }];
}
