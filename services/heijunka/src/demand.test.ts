import type { ArrivalsMessage } from '@tps/contracts';
import { addArrivals, demandAt, type DemandState } from './demand';

const message = (
  arrivals: Record<string, number>,
  waiting: Record<string, number> = {},
): ArrivalsMessage => ({
  v: 1,
  instance: 'kanban-1',
  interval_ms: 1_000,
  arrivals,
  waiting,
});

/** Adds the same arrivals for `count` seconds. */
function seconds(count: number, arrivals: Record<string, number>, from?: DemandState): DemandState {
  let state = from;
  const firstMs = from ? from.heardMs + 1_000 : 1_000;
  for (let i = 0; i < count; i += 1) state = addArrivals(state, message(arrivals), firstMs + i * 1_000);
  return state!;
}

test.each([1, 5, 30, 300])('a steady rate is measured exactly after %i s', (count) => {
  const state = seconds(count, { a_1: 2, a_3: 3, b_3: 1 });
  const demand = demandAt(state, state.heardMs);
  expect(demand.a?.arrivals_per_s).toBeGreaterThan(4.8);
  expect(demand.a?.arrivals_per_s).toBeLessThan(5.2);
  expect(demand.a!.arrivals_per_s / demand.b!.arrivals_per_s).toBeCloseTo(5);
});

test('arrivals of two kanban replicas add up', () => {
  let state = addArrivals(undefined, message({ a_3: 4 }), 1_000);
  state = addArrivals(state, message({ a_3: 6 }), 1_000);
  expect(demandAt(state, 1_000).a?.arrivals_per_s).toBeCloseTo(10, 0);
});

test('the average follows a change and decays without messages', () => {
  const state = seconds(60, { a_3: 0 }, seconds(60, { a_3: 10 }));
  expect(demandAt(state, state.heardMs).a?.arrivals_per_s).toBeLessThan(2);
  const quiet = demandAt(state, state.heardMs + 300_000);
  expect(quiet.a?.arrivals_per_s).toBeLessThan(0.001);
});

test('the backlog counts as work for a minute, until the message is stale', () => {
  const state = addArrivals(undefined, message({}, { a_1: 100, a_4: 20 }), 1_000);
  expect(demandAt(state, 1_000).a).toEqual({ arrivals_per_s: 0, backlog: 120, per_s: 2 });
  expect(demandAt(state, 20_000).a).toBeUndefined();
});

test('a type without arrivals is forgotten', () => {
  let state = seconds(10, { a_3: 1 });
  state = addArrivals(state, message({ b_3: 1 }), state.heardMs + 1_000_000);
  expect(Object.keys(state.rates)).toEqual(['b']);
});

test('without messages there is no demand', () => expect(demandAt(undefined, 0)).toEqual({}));
