import type { Bus } from '@tps/bus';
import type { Heartbeat } from '@tps/contracts';
import { FleetView, SILENT_MS } from './fleet-view';

let now = 1_000_000;

/** The tests hand heartbeats in, so nothing has to come over a wire. */
function view() {
  const subjects = { heartbeat: () => 'beats' };
  const bus = { nc: { subscribe: () => ({ unsubscribe: () => undefined }) }, names: { subjects } };
  const fleet = new FleetView(bus as unknown as Bus, { now: () => now, onError: () => undefined });
  const started_at = new Date(now).toISOString();
  const hear = (instance: string, more: Partial<Heartbeat> = {}): void =>
    fleet.onHeartbeat({
      ...{ v: 1, service: 'kanban', instance, started_at, at: started_at, ready: true, vitals: {} },
      ...more,
    });
  return { fleet, hear, pass: (ms: number): void => void (now += ms) };
}

test('a silent process counts as lost until its namesake or another one replaces it', () => {
  const { fleet, hear, pass } = view();
  for (const name of ['one', 'two', 'three']) hear(name);
  expect(fleet.lost('kanban')).toBe(0);
  pass(SILENT_MS + 1);
  hear('one');
  expect(fleet.lost('kanban')).toBe(2);
  expect(fleet.lost('jidoka')).toBe(0);
  expect(fleet.replicas('kanban')).toHaveLength(1);
  hear('two');
  expect(fleet.lost('kanban')).toBe(1);
  hear('two');
  expect(fleet.lost('kanban')).toBe(1);
  hear('four');
  expect(fleet.lost('kanban')).toBe(0);
});

test('a view that starts later learns of missing processes from andon, and forgets them when andon would', () => {
  const old = view();
  old.hear('one');
  old.pass(SILENT_MS + 1);
  expect(old.fleet.lost('kanban')).toBe(1);
  old.pass(300_000);
  const beat = { service: 'andon' as const, vitals: { colour: 'YELLOW', missed: old.fleet.missing() } };
  const late = view();
  late.hear('andon-1', beat);
  expect(late.fleet.lost('kanban')).toBe(1);
  late.hear('two');
  expect(late.fleet.lost('kanban')).toBe(0);
  // By now the view hears every process itself; a list that arrives later may be out of date.
  late.pass(SILENT_MS);
  late.hear('andon-1', beat);
  expect(late.fleet.lost('kanban')).toBe(0);
  const later = view();
  later.hear('andon-1', beat);
  later.pass(300_001);
  expect([old.fleet.lost('kanban'), later.fleet.lost('kanban')]).toEqual([0, 0]);
});

test('a process that announces its stop is not missed, and no process is missed for ever', () => {
  const { fleet, hear, pass } = view();
  hear('one', { leaving: true });
  hear('two');
  pass(SILENT_MS + 1);
  expect(fleet.lost('kanban')).toBe(1);
  pass(600_001);
  expect(fleet.lost('kanban')).toBe(0);
});
