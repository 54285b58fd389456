import type { DeliveryInfo } from '@tps/bus';
import { RedeliveryGuard } from './redelivery-guard';

const stored = (storedAtMs: number): DeliveryInfo => ({ storedAtMs }) as DeliveryInfo;
let nowMs = 1_000;

beforeEach(() => {
  nowMs = 1_000;
  jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => jest.restoreAllMocks());

test('a signal that is read within 2 s after a standstill of a lease may be in another worker, too', () => {
  const guard = new RedeliveryGuard(() => 8_000);
  nowMs += 8_000;
  expect([guard.isSuspect(stored(Date.now())), guard.readsLate, guard.leftUnread]).toEqual([
    false,
    false,
    false,
  ]);
  nowMs += 1;
  expect([guard.isSuspect(stored(Date.now())), guard.readsLate, guard.leftUnread]).toEqual([
    true,
    true,
    true,
  ]);
  guard.renewed();
  nowMs += 1_999;
  expect(guard.readsLate).toBe(true);
  nowMs += 1;
  expect([guard.readsLate, guard.leftUnread]).toEqual([false, true]);
  guard.renewed();
  nowMs += 8_000;
  guard.renewed();
  nowMs += 6_000;
  expect(guard.leftUnread).toBe(false);
});
