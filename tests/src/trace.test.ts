import { type CollectedSpan, TraceCollector, waitFor } from '@tps/testkit';
import { Fleet } from './fleet';

/** Does every expected parent->child edge appear in one trace over all seven services? */
const EDGES: [parent: string, child: string][] = [
  ['tps-system process_signal', 'tps-jidoka jidoka.admit'],
  ['tps-system process_signal', 'tps-kanban kanban.enqueue'],
  ['tps-kanban kanban.enqueue', 'tps-worker worker.process'],
  ['tps-worker worker.process', 'tps-andon andon.record'],
  ['tps-worker worker.process', 'tps-kaizen kaizen.record'],
  ['tps-worker worker.process', 'tps-heijunka heijunka.level'],
];

describe('tracing', () => {
  let fleet: Fleet;
  let collector: TraceCollector;
  beforeAll(async () => {
    collector = await TraceCollector.start();
    fleet = await Fleet.start({ JAEGER_ENDPOINT: collector.url, JAEGER_TAGS: 'region=test-1,env=ci' });
  }, 90_000);
  afterAll(async () => {
    await fleet?.stop();
    await collector?.stop();
  }, 60_000);

  const named = ({ service, name }: CollectedSpan): string => `${service} ${name}`;
  const whole = (traceId: string): Promise<CollectedSpan[]> =>
    waitFor('all seven spans', () => {
      const spans = collector.ofTrace(traceId);
      return new Set(spans.map(named)).size >= 7 ? spans : null;
    });

  test('one signal is one trace of seven services', async () => {
    const { body } = await fleet.post('execute', { task: 'demo' });
    const spans = await whole(body.trace_id);
    const byId = new Map(spans.map((span) => [span.spanId, named(span)]));
    const edges = spans
      .filter((span) => span.parentSpanId)
      .map((span) => [byId.get(span.parentSpanId!), named(span)]);
    expect(edges).toEqual(expect.arrayContaining(EDGES));
    expect(edges).toHaveLength(EDGES.length);
    for (const { resource } of spans) {
      expect(resource).toMatchObject({ 'service.version': '1.0.0', region: 'test-1', env: 'ci' });
    }
  });

  test("a caller's trace is continued, a malformed one is not", async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const continued = await fleet.post('validate', { data: 1 }, { headers: { traceparent } });
    expect(continued.body.trace_id).toBe('0af7651916cd43dd8448eb211c80319c');
    const spans = await whole(continued.body.trace_id);
    expect(spans.find(({ name }) => name === 'process_signal')?.parentSpanId).toBe('b7ad6b7169203331');
    const fresh = await fleet.post('validate', { data: 1 }, { headers: { traceparent: '00-nonsense' } });
    expect(fresh.body.trace_id).toMatch(/^[0-9a-f]{32}$/);
  });

  test('every attempt of a signal is a span of its trace', async () => {
    const { body } = await fleet.post('validate', { data: 1, chaos: { fail: 'transient', fail_first: 1 } });
    const attempts = await waitFor('two attempts', () => {
      const spans = collector.ofTrace(body.trace_id).filter(({ name }) => name === 'worker.process');
      return spans.length === 2 ? spans : null;
    });
    expect(attempts.map(({ attributes }) => attributes['tps.outcome.status']).sort()).toEqual([
      'retrying',
      'succeeded',
    ]);
  });
});
