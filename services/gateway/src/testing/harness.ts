import { startService } from '@tps/service';
import type { SignalSpan, SignalTracer } from '@tps/telemetry';
import { freePort, NatsServer, waitFor } from '@tps/testkit';
import supertest from 'supertest';
import { gateway } from '../service';
import { FakeFleet } from './fake-fleet';

/** A real gateway on a real broker, with fakes for the other services. */
export interface GatewayHarness {
  nats: NatsServer;
  fleet: FakeFleet;
  port: number;
  /** Every span the gateway started; they record when `JAEGER_ENDPOINT` is set. */
  spans: SignalSpan[];
  http: Http;
  stopGateway: () => Promise<void>;
  stop: () => Promise<void>;
}

export interface Reply {
  status: number;
  headers: Record<string, string>;
  body: Record<string, unknown>;
  text: string;
}
interface Ask extends PromiseLike<Reply> {
  set(headers: Record<string, string>): Ask;
  send(body: string | object): Ask;
}
/** The part of supertest that tests use, without its `any`. */
export type Http = Record<'get' | 'post' | 'put' | 'delete' | 'head' | 'options', (path: string) => Ask>;

export async function startGateway(env: Record<string, string> = {}): Promise<GatewayHarness> {
  const nats = await NatsServer.start();
  const fleet = await FakeFleet.start(nats.url);
  const leave = async (): Promise<void> => {
    await fleet.stop();
    await nats.stop();
  };
  try {
    await registerTypes(fleet);
    const port = await freePort();
    const spans: SignalSpan[] = [];
    const settings = {
      NATS_URL: nats.url,
      HTTP_PORT: `${port}`,
      METRICS_PORT: 'disabled',
      LOG_LEVEL: 'error',
    };
    const handle = await startService(recording(spans), { ...settings, ...env }, (error) => {
      throw error;
    });
    const http = supertest(`http://127.0.0.1:${port}`) as unknown as Http;
    // Over HTTPS a test asks by itself, with the certificate it made.
    if (env.SSL_ENABLED !== 'true') {
      await waitFor('the gateway to be ready', async () => (await http.get('/health/ready')).status === 200);
    }
    const stopGateway = (): Promise<void> => handle.stop();
    return { nats, fleet, port, spans, http, stopGateway, stop: () => stopGateway().then(leave) };
  } catch (error) {
    await leave();
    throw error;
  }
}

async function registerTypes(fleet: FakeFleet): Promise<void> {
  await fleet.register('execute');
  await fleet.register('strict', {
    type: 'object',
    properties: { n: { type: 'integer' } },
    required: ['n'],
    additionalProperties: false,
  });
  await fleet.register('broken', { $ref: 'https://example.com/nowhere.json' });
}

function recording(spans: SignalSpan[]): typeof gateway {
  return {
    ...gateway,
    start: (context, httpServer) => {
      const start: SignalTracer['start'] = (...given) => {
        const span = context.tracer.start(...given);
        spans.push(span);
        return span;
      };
      return gateway.start({ ...context, tracer: { start } as SignalTracer }, httpServer);
    },
  };
}
