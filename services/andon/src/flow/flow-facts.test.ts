import type { Heartbeat, ServiceName } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import { LineWindow } from '../line-window';
import { bottleneckOf } from './bottleneck';
import { flowVitals, lostPercent, offeredOf } from './flow-facts';
import { Movement } from './movement';

const NOW = Date.parse('2026-01-25T12:00:00Z');

type Given = { [S in ServiceName]?: Partial<Heartbeat<S>['vitals']>[] };
const fleet = (given: Given): Pick<FleetView, 'of'> => ({
  of: <S extends ServiceName>(service: S) =>
    (given[service] ?? []).map((vitals) => ({
      at: new Date(NOW - 500).toISOString(),
      vitals,
    })) as Heartbeat<S>[],
});
const worker = (vitals: Partial<Heartbeat<'worker'>['vitals']>): Partial<Heartbeat<'worker'>['vitals']> => ({
  ...{ slots: 4, busy: 0, types: ['drill', 'hog'], in_hand: {} },
  ...vitals,
});

test('signals without a slot wait in the queue and in workers, and the oldest of all counts', () => {
  const facts = flowVitals(
    fleet({
      kanban: [
        { waiting: { drill: { signals: 7, oldest_ms: 900 } } },
        { waiting: { drill: { signals: 6 } } },
      ],
      worker: [
        worker({
          in_flight: { drill: 3 },
          running: { drill: 1, hog: 3 },
          busy: 4,
          oldest_waiting_ms: { drill: 1_200 },
        }),
        worker({ types: ['hog'], busy: 0 }),
      ],
    }),
    'drill',
    NOW,
  );
  expect(facts).toMatchObject({ waiting: 9, in_flight: 3, oldest_ms: 1_200 });
  expect(facts.waits_for).toBe('all 4 slots busy (hog has 3)');
});

test('nothing waits: no age and no cause', () => {
  const facts = flowVitals(fleet({ kanban: [{}], worker: [worker({})], gateway: [{}] }), 'drill', NOW);
  expect(facts).toEqual({
    waiting: 0,
    in_flight: 0,
    oldest_ms: null,
    offered: 0,
    full: 0,
    offered_per_s: 0,
    startedMs: 0,
  });
});

test('gateways add up, and the latest start of all workers counts', () => {
  const gateway = { offered_5m: { drill: 30 }, full_5m: { drill: 2 }, offered_per_s: { drill: 1.5 } };
  const facts = flowVitals(
    fleet({
      gateway: [gateway, gateway],
      worker: [worker({ since_start_ms: { drill: 4_000 } }), worker({ since_start_ms: { drill: 100 } })],
    }),
    'drill',
    NOW,
  );
  expect(facts).toMatchObject({ offered: 60, full: 4, offered_per_s: 3, startedMs: NOW - 600 });
});

interface Case {
  in_flight: number;
  cards?: number;
  max_per_s?: number;
  slots?: number;
  busy?: number;
  running?: Record<string, number>;
}
test.each<[given: Case, expected: string]>([
  [{ in_flight: 1, cards: 1 }, 'its 1 card is busy'],
  [{ in_flight: 3, cards: 3, max_per_s: 2 }, 'all its 3 cards are busy'],
  [{ in_flight: 1, cards: 3, max_per_s: 2 }, 'max_per_s 2'],
  [{ in_flight: 4, busy: 4, max_per_s: 2, running: { drill: 4 } }, 'all 4 slots busy'],
  [{ in_flight: 0, busy: 4, running: { hog: 1, press: 3 } }, 'all 4 slots busy (press has 3, hog has 1)'],
  [{ in_flight: 0, busy: 1 }, '3 of 4 slots are free'],
  [{ in_flight: 0, slots: 1, busy: 1, running: { hog: 1 } }, 'its 1 slot is busy (hog has 1)'],
  [{ in_flight: 0, slots: 0 }, 'no worker serves the type'],
])('what a type waits for: %j', ({ slots = 4, busy = 0, running = {}, ...given }, expected) => {
  expect(bottleneckOf({ type: 'drill', workers: [{ slots, busy, running }], ...given })).toBe(expected);
});

test('the loss is a share of all offered signals, also after a restart of the gateways', () => {
  const figures = { ...new LineWindow().figures(NOW), processed: 50, expired: 40, cut_off: 5 };
  const offered = offeredOf({ offered: 3, full: 10 }, figures);
  expect(offered).toBe(100);
  expect(lostPercent(figures, { offered, full: 10 })).toBe(55);
  expect(lostPercent(figures, { offered: 0, full: 0 })).toBe(0);
});

test('a line stands still from its last start or end on, and only while it has work', () => {
  const movement = new Movement();
  const works = { works: true, startedMs: 0 };
  expect(movement.look({ works: false, startedMs: 0 }, NOW)).toBe(0);
  expect(movement.look(works, NOW + 4_000)).toBe(5_000);
  movement.finished(NOW + 3_000);
  expect(movement.look(works, NOW + 5_000)).toBe(2_000);
  expect(movement.look({ works: true, startedMs: NOW + 4_500 }, NOW + 5_000)).toBe(500);
  movement.finished(NOW);
  expect(movement.look(works, NOW + 15_000)).toBe(10_500);
});

test('a process that has just started knows nothing of the time before', () => {
  expect(new Movement().look({ works: true, startedMs: 0 }, NOW)).toBeLessThanOrEqual(1_000);
});
