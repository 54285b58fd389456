import type { BlockedLoop } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import { BLOCKED, blockedWorkers } from './blocked-workers';

const verdictOf = (...loops: (BlockedLoop | undefined)[]): unknown => {
  const beats = loops.map((blocked, index) => ({
    instance: `w${index + 1}`,
    vitals: blocked ? { blocked } : {},
  }));
  const fleet = { of: () => beats } as unknown as FleetView;
  return BLOCKED.assess({ blocked: blockedWorkers(fleet) });
};

test('the station is YELLOW while a handler blocks a worker, and its reason names worker, type and signal', () => {
  expect(verdictOf(undefined)).toBeUndefined();
  const blocked = { ms: 12_040, signal_type: 'drill', signal_id: 'id-1', types: ['drill', 'honest'] };
  expect(verdictOf(undefined, blocked)).toEqual({
    colour: 'YELLOW',
    reason: 'w2: drill blocks the event loop for 12 s, signal id-1',
  });
});

test('where the handler is not known, the reason names the types that it may be of', () => {
  const reason = 'w1: one of drill, honest blocked the event loop for 1.3 s';
  expect(verdictOf({ ms: 1_300, types: ['drill', 'honest'], ended: true })).toMatchObject({ reason });
});
