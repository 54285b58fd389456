import { type Bus, connectBus } from '@tps/bus';
import { NatsServer } from '@tps/testkit';
import { RejectedError, TransientError } from '@tps/worker';
import { handlerContext } from './context.fixture';
import { reportSignal } from './report';

describe('report', () => {
  let server: NatsServer;
  let bus: Bus;
  const run = async (payload: object): Promise<unknown> => reportSignal(bus).run(payload, handlerContext());

  beforeAll(async () => {
    server = await NatsServer.start();
    bus = await connectBus({ url: server.url, name: 'report test' });
  });
  afterAll(async () => {
    await bus.close();
    await server.stop();
  });

  const answerWith = (answer: (request: { format: string }) => unknown): (() => void) => {
    const subscription = bus.nc.subscribe(bus.names.subjects.report, {
      callback: (_, msg) => void msg.respond(JSON.stringify(answer(msg.json()))),
    });
    return () => subscription.unsubscribe();
  };

  it('is the answer of kaizen, as JSON by default', async () => {
    const report = { content: 'all well', generated_at: '2026-01-25T12:00:00.000Z' };
    const stop = answerWith(({ format }) => ({ format, ...report }));
    expect(await run({})).toEqual({ format: 'json', ...report });
    expect(await run({ format: 'csv' })).toEqual({ format: 'csv', ...report });
    stop();
  });

  it('rejects an unknown format', async () => {
    await expect(run({ format: 'pdf' })).rejects.toThrow(
      new RejectedError('payload.format "pdf" is none of json, markdown, csv'),
    );
  });

  it('is retried while kaizen is away, silent or failing', async () => {
    await expect(run({})).rejects.toThrow(TransientError);
    const unheard = bus.nc.subscribe(bus.names.subjects.report);
    await expect(run({})).rejects.toThrow('kaizen, which makes the report, does not answer');
    unheard.unsubscribe();
    const stop = answerWith(() => ({ error: 'no figures yet' }));
    await expect(run({})).rejects.toThrow(new TransientError('kaizen: no figures yet'));
    stop();
  });
});
