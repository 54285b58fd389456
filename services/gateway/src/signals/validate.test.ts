import { DEFAULT_TIMEOUT_MS, MAX_ASYNC_TIMEOUT_MS, MAX_SYNC_TIMEOUT_MS } from '@tps/contracts';
import { ApiError } from '../problem';
import { invalidSignal, parseSignal } from './validate';

const body = { signal_type: 'demo', payload: {} };
const faultsOf = (given: unknown, respondAsync = false): Record<string, string> => {
  try {
    parseSignal(given, respondAsync);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const faults = error.details.members?.errors as { path: string; message: string }[];
    return Object.fromEntries(faults.map(({ path, message }) => [path, message]));
  }
  return {};
};

test('a sender who waits and one who does not have defaults of their own', () => {
  expect(parseSignal(body, false)).toEqual({ ...body, priority: 3, timeout_ms: DEFAULT_TIMEOUT_MS });
  expect(parseSignal(body, true)).toEqual({ ...body, priority: 3, timeout_ms: MAX_ASYNC_TIMEOUT_MS });
  expect(parseSignal({ ...body, priority: 1, timeout_ms: 5 }, true)).toMatchObject({
    priority: 1,
    timeout_ms: 5,
  });
});

test.each([
  [false, MAX_SYNC_TIMEOUT_MS],
  [true, MAX_ASYNC_TIMEOUT_MS],
])('with respond-async %s, timeout_ms is at most %i', (respondAsync, most) => {
  expect(faultsOf({ ...body, timeout_ms: most }, respondAsync)).toEqual({});
  expect(faultsOf({ ...body, timeout_ms: most + 1 }, respondAsync)).toHaveProperty(['/timeout_ms']);
});

test.each<[what: string, given: unknown, path: string, message: string]>([
  ['no type', { payload: {} }, '/signal_type', 'is required'],
  ['no payload', { signal_type: 'demo' }, '/payload', 'is required'],
  ['a list as payload', { ...body, payload: [] }, '/payload', 'must be object'],
  ['an unknown field', { ...body, prio: 1 }, '/prio', 'is not a known field'],
  ['an unknown field with a slash', { ...body, 'a/b': 1 }, '/a~1b', 'is not a known field'],
  ['priority 0', { ...body, priority: 0 }, '/priority', 'must be'],
  ['priority 5', { ...body, priority: 5 }, '/priority', 'must be'],
  ['half a priority', { ...body, priority: 1.5 }, '/priority', 'must be integer'],
  ['a priority in words', { ...body, priority: 'high' }, '/priority', 'must be'],
  ['no time at all', { ...body, timeout_ms: 0 }, '/timeout_ms', 'must be >= 1'],
  ['a type that is none', { ...body, signal_type: 'No Type' }, '/signal_type', 'must match pattern'],
  ['a body that is a list', [], '', 'must be object'],
  ['no body', null, '', 'must be object'],
])('a signal with %s is refused where the fault is', (_, given, path, message) => {
  expect(faultsOf(given)[path]).toContain(message);
});

test('all faults are listed at once, and the message counts them', () => {
  expect(Object.keys(faultsOf({ priority: 9, more: 1 })).sort()).toEqual([
    ...['/more', '/payload', '/priority', '/signal_type'],
  ]);
  const fault = { path: '/a', message: 'is required', rule: 'required' };
  expect(invalidSignal([fault]).message).toBe('/a is required');
  expect(invalidSignal([fault, fault, fault]).message).toBe('/a is required (and 2 more)');
  expect(invalidSignal([{ ...fault, path: '' }]).message).toBe('the body is required');
});

test('a body of nothing but faults gets a list of bounded length', () => {
  const many = Array.from({ length: 500 }, (_, i) => ({ path: `/${i}`, message: 'x', rule: 'x' }));
  expect(invalidSignal(many).details.members?.errors).toHaveLength(100);
});
