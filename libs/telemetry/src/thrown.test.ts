import { runInNewContext } from 'node:vm';
import { describeThrown, isError, lineage, readSafely } from './thrown';

const withFields = (fields: object): Error => Object.defineProperties(new Error('x'), descriptors(fields));
const descriptors = (fields: object): PropertyDescriptorMap =>
  Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, { value: value as unknown }]));
const throwing = (keys: string[]): Error =>
  Object.defineProperties(
    new Error('x'),
    Object.fromEntries(keys.map((key) => [key, { get: () => raise(new Error('getter')) }])),
  );
const raise = (error: Error): never => {
  throw error;
};
/** A Proxy each of whose traps throws. */
const bristling = (): object => new Proxy({}, new Proxy({}, { get: () => () => raise(new Error('trap')) }));
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
/** Each prototype has another one. */
const endless = (): object => new Proxy(Object.create(null) as object, { getPrototypeOf: () => endless() });

test.each<[what: string, thrown: () => unknown, message: string]>([
  ['an error', () => new Error('down'), 'down'],
  ['a text', () => 'down', 'down'],
  ['nothing', () => undefined, 'undefined'],
  ['null', () => null, 'null'],
  ['a symbol', () => Symbol('s'), 'Symbol(s)'],
  ['a big integer', () => 10n, '10'],
  ['an empty text', () => '', 'unnamed error'],
  ['an error without a message', () => new Error(), 'unnamed error'],
  ['a plain object', () => ({ a: 1 }), '{ a: 1 }'],
  ['an object with a message', () => ({ code: 7, message: 'down' }), 'down'],
  [
    'a list of sentences for a message',
    () => withFields({ message: ['a is no text', 'b is no number'] }),
    'a is no text; b is no number',
  ],
  ['an object for a message', () => withFields({ message: { a: 1 } }), '{ a: 1 }'],
  ['undefined for a message', () => withFields({ message: undefined }), 'unnamed error'],
  ['a symbol for a message', () => withFields({ message: Symbol('s') }), 'Symbol(s)'],
  [
    'a message that cannot be read',
    () => throwing(['stack', 'message', 'name']),
    'a value whose message cannot be read',
  ],
  ['a Proxy whose traps throw', () => bristling(), 'a value whose message cannot be read'],
  [
    'a child of such a Proxy',
    (): unknown => Object.create(bristling()),
    'a value whose message cannot be read',
  ],
  ['a revoked Proxy', () => revoked(), 'a value whose message cannot be read'],
  ['an endless chain of prototypes', () => endless(), 'a value that cannot be described'],
  ['half a surrogate pair', () => new Error('a\ud800b'), 'a\ufffdb'],
  ['control characters', () => new Error('line\nbreak\0'), 'line\nbreak\0'],
])('%s', (_, thrown, message) => expect(describeThrown(thrown()).message).toContain(message));

test('descriptions are bounded, and cutting leaves no half of a surrogate pair', () => {
  const {
    message,
    name,
    stack = '',
  } = describeThrown(
    withFields({
      message: `${'x'.repeat(999)}\u{1f600}`,
      name: 'n'.repeat(5_000),
      stack: `${'s'.repeat(2e6)}\n    at end`,
    }),
  );
  expect([message, name.length, stack.length < 10_000]).toEqual([`${'x'.repeat(999)}\ufffd`, 100, true]);
  expect(stack).toMatch(/\n {4}at end$/);
  expect(describeThrown({ a: 'x'.repeat(1e6) }).message).toHaveLength(1_000);
});

test('a name or stack of another type is left out', () => {
  expect(describeThrown(withFields({ name: { a: 1 }, stack: 42 }))).toEqual({ name: 'Error', message: 'x' });
});

test('errors of another realm are errors; a prototype that lies is no danger', () => {
  expect(isError(runInNewContext('new TypeError("x")'))).toBe(true);
  expect(isError({ message: 'x' })).toBe(false);
  expect(isError(bristling())).toBe(false);
  expect(lineage(new TypeError('x'))).toEqual([TypeError.prototype, Error.prototype, Object.prototype]);
  expect(lineage(endless()).length).toBeLessThan(100);
  expect(lineage(undefined)).toEqual([]);
});

test('an unreadable property is undefined', () => {
  expect(readSafely(throwing(['cause']), 'cause')).toBeUndefined();
  expect(readSafely('text', 'length')).toBeUndefined();
  expect(readSafely({ cause: 1 }, 'cause')).toBe(1);
});
