import { retryWhileRestarting } from './retry-while-restarting';

/** Answers with the given values, the last one for ever, and counts the requests. */
function answers(...values: string[]): { send: () => Promise<string>; sent: () => number } {
  let sent = 0;
  return { send: async () => values[Math.min(sent++, values.length - 1)]!, sent: () => sent };
}
const neverArrived = (answer: string): boolean => answer === 'nobody';

test('an answer is not asked for twice', async () => {
  const { send, sent } = answers('yes');
  expect(await retryWhileRestarting(send, neverArrived, () => true)).toBe('yes');
  expect(sent()).toBe(1);
});

test('a request that may have arrived is not repeated', async () => {
  const { send, sent } = answers('silence', 'yes');
  expect(await retryWhileRestarting(send, neverArrived, () => true)).toBe('silence');
  expect(sent()).toBe(1);
});

test('a service that restarts is asked until it listens', async () => {
  const { send, sent } = answers('nobody', 'nobody', 'yes');
  expect(await retryWhileRestarting(send, neverArrived, () => true)).toBe('yes');
  expect(sent()).toBe(3);
});

test('a service without heartbeats is asked once', async () => {
  const { send, sent } = answers('nobody');
  expect(await retryWhileRestarting(send, neverArrived, () => false)).toBe('nobody');
  expect(sent()).toBe(1);
});

test('a service that stays away for seconds is given up', async () => {
  const began = Date.now();
  const { send, sent } = answers('nobody');
  expect(await retryWhileRestarting(send, neverArrived, () => true)).toBe('nobody');
  expect(Date.now() - began).toBeGreaterThanOrEqual(3_000);
  expect(sent()).toBeGreaterThan(5);
});
