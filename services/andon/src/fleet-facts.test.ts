import type { LostState } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import { closedReason } from './advice';
import { deafOf, failingOf, isServed, queueFacts, replicaFacts } from './fleet-facts';
import type { Light } from './light';
import { STATE_LOST } from './state-loss';

const NOW = Date.parse('2026-01-25T12:00:00.000Z');
type Vitals = Record<string, object[]>;
const fleetOf = (vitals: Vitals, more: object = {}): FleetView =>
  ({
    of: (service: string) => (vitals[service] ?? []).map((each) => ({ vitals: each })),
    lostState: () => [],
    lost: () => 0,
    ...more,
  }) as unknown as FleetView;
const worker = (given: object): object => ({ types: [], deaf: {}, ...given });

test('facts of a type are those of all workers together', () => {
  const fleet = fleetOf({
    worker: [
      worker({ types: ['a'], deaf: { a: 2 }, failing: { a: ['db', 'mail'] } }),
      worker({ types: ['a', 'b'], deaf: { a: 1 }, failing: { a: ['db'] } }),
    ],
  });
  expect(failingOf(fleet, 'a')).toEqual(['db', 'mail']);
  expect([deafOf(fleet, 'a'), deafOf(fleet, 'b')]).toEqual([3, 0]);
  expect([isServed(fleet, 'b'), isServed(fleet, 'c')]).toEqual([true, false]);
});

test('a process counts as unready only when it has had ten seconds to start', () => {
  const process = (ready: boolean, ageMs: number) => ({
    ready,
    started_at: new Date(NOW - ageMs).toISOString(),
  });
  const replicas = (): unknown[] => [process(true, 60_000), process(false, 9_000), process(false, 11_000)];
  expect(replicaFacts(fleetOf({}, { replicas, lost: () => 2 }), 'kanban', NOW)).toEqual({
    ...{ service: 'kanban', up: true, replicas: 1, unready: 1, lost: 2 },
  });
  expect(replicaFacts(fleetOf({}, { replicas: () => [] }), 'kanban', NOW)).toMatchObject({
    up: false,
    replicas: 0,
  });
});

test.each<[what: string, kanbans: object[], refuses: string | undefined]>([
  ['no kanban is heard', [], undefined],
  ['one accepts', [{ refuses: 'no space' }, {}], undefined],
  ['all refuse', [{ refuses: 'no space' }, { refuses: 'no space' }], 'no space'],
  ['all refuse, and one has a backup to drain', [{ refuses: 'x', backup: { reachable: true } }], undefined],
  ['all refuse, and the backup is away', [{ refuses: 'x', backup: { reachable: false } }], 'x'],
])('the queue refuses: %s', (_, kanban, refuses) => {
  expect(queueFacts(fleetOf({ kanban })).refuses).toBe(refuses);
});

test.each<[what: string, kanban: object[], gateway: object[], backup: object]>([
  ['nothing is there', [], [], { active: false, waiting: 0 }],
  ['replicas report the same messages', [drain(3), drain(5)], [on()], { active: true, waiting: 5 }],
  ['other programs use it', [drain(4, true)], [], { active: false, waiting: 0 }],
  ['messages are stuck after the mode', [drain(4, false)], [], { active: false, waiting: 4 }],
])('the backup: %s', (_, kanban, gateway, backup) => {
  expect(queueFacts(fleetOf({ kanban, gateway })).backup).toEqual(backup);
});
function drain(on_backup: number, appends = false): object {
  return { backup: { reachable: true, on_backup, appends } };
}
function on(): object {
  return { backup: { active: true } };
}

test.each<[lost: Partial<LostState>[], expected: object | undefined]>([
  [[], undefined],
  [
    [{ name: 'KV_tps_stops', life: 'a' }],
    { colour: 'YELLOW', about: 'KV_tps_stops', reason: 'NATS lost KV_tps_stops (written again)' },
  ],
  [
    [{ name: 'KV_tps_stops', gone: true, entries: 3 }],
    { colour: 'RED', reason: 'NATS lost KV_tps_stops (3 keys)' },
  ],
  [
    [{ name: 'OUTCOMES', entries: 7 }, { name: 'KANBAN' }],
    { colour: 'RED', about: 'KANBAN, OUTCOMES', reason: 'NATS lost KANBAN, OUTCOMES (7 entries)' },
  ],
])('lost state %j: %j', (lost_state, expected) => {
  const breach = STATE_LOST.assess({ lost_state: lost_state as LostState[] });
  if (expected) expect(breach).toMatchObject(expected);
  else expect(breach).toBeUndefined();
});

const light = (given: Partial<Light>): Light => ({
  colour: 'RED',
  rule: 'no_worker',
  reason: 'nobody serves it',
  sinceMs: 0,
  better: 0,
  ...given,
});

test('a second resume says what mends the light instead, with the name of the line in it', () => {
  expect(closedReason('demo', light({ colour: 'GREEN' }))).toBe('this call was resumed already');
  const reason = closedReason('demo', light({}));
  expect(reason).toMatch(
    /^this call was resumed already, and demo is still RED \(no_worker: nobody serves it\)\. \S/,
  );
  expect(reason).not.toContain(':type');
  expect(closedReason('demo', light({ rule: 'unknown_rule' }))).toMatch(/nobody serves it\)\.$/);
  const station = closedReason('station:kanban', light({ rule: 'state_lost' }));
  expect(station).toContain(STATE_LOST.first.slice(0, 40));
});
