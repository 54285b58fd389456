import { Registry } from 'prom-client';
import { exposeLosses } from './state-loss';

test('the metric counts what is lost for good, and ends with the loss', async () => {
  const registry = new Registry();
  const life = '2026-01-25T12:00:00Z';
  let lost = [
    { name: 'KANBAN', life },
    { name: 'KV_tps_types', life },
    { name: 'KV_tps_stops', life, gone: true as const },
  ];
  exposeLosses(registry, () => lost);
  const value = async (): Promise<unknown> =>
    (await registry.getSingleMetric('tps_state_lost')!.get()).values[0]?.value;
  expect(await value()).toBe(2);
  lost = [];
  expect(await value()).toBe(0);
});
