import { startService } from '@tps/service';
import { freePort, NatsServer, waitFor } from '@tps/testkit';
import supertest from 'supertest';
import { gateway } from '../service';
import { StandIns } from './stand-ins';

/** Starting a broker and a gateway can take longer than jest's five seconds when the machine is busy. */
jest.setTimeout(30_000);

/** A real gateway on a real broker, with stand-ins for the other services. */
export interface Rig {
  nats: NatsServer;
  fleet: StandIns;
  port: number;
  http: ReturnType<typeof supertest>;
  stopGateway: () => Promise<void>;
  stop: () => Promise<void>;
}

export async function startRig(env: Record<string, string> = {}): Promise<Rig> {
  const nats = await NatsServer.start();
  const fleet = await StandIns.start(nats.url);
  await fleet.register('execute');
  await fleet.register('strict', {
    type: 'object',
    properties: { n: { type: 'integer' } },
    required: ['n'],
    additionalProperties: false,
  });
  await fleet.register('broken', { $ref: 'https://example.com/nowhere.json' });
  const port = await freePort();
  const settings = {
    NATS_URL: nats.url,
    HTTP_PORT: String(port),
    METRICS_PORT: 'disabled',
    LOG_LEVEL: 'error',
  };
  const handle = await startService(gateway, { ...settings, ...env }, (error) => {
    throw error;
  });
  const http = supertest(`http://127.0.0.1:${port}`);
  await waitFor('the gateway to be ready', async () => (await http.get('/health/ready')).status === 200);
  return {
    nats,
    fleet,
    port,
    http,
    stopGateway: () => handle.stop(),
    stop: async () => {
      await handle.stop();
      await fleet.stop();
      await nats.stop();
    },
  };
}
