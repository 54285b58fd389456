import { Type } from '@sinclair/typebox';
import { anyObject, mapOf, nullable, oneOf, time } from './fields';
import { check, isOfLaterVersion, MessageError, parse, readableItems } from './parse';
import { version, WIRE_VERSION } from './version';

const message = (text: string): { json: () => unknown } => ({ json: () => JSON.parse(text) as unknown });

const Shape = Type.Object({
  v: version(),
  kind: oneOf(['a', 'b']),
  at: time('when'),
  size: nullable(Type.Integer({ minimum: 1 }), 'null: unknown'),
  by: Type.Optional(mapOf(mapOf(Type.Object({ n: Type.Integer() })))),
  payload: Type.Optional(anyObject('anything')),
});
const sound = { v: WIRE_VERSION, kind: 'a', at: '2026-01-25T12:00:00.000Z', size: null };
const fault = (value: unknown): string => {
  try {
    check(Shape, value, 'shape');
    return '';
  } catch (error) {
    expect(error).toBeInstanceOf(MessageError);
    return (error as Error).message;
  }
};

test('a value that fits is returned as it is, with fields that a later version added', () => {
  const value = { ...sound, added: true, by: { x: { y: { n: 1, more: 2 } } }, payload: { v: 'theirs' } };
  expect(check(Shape, value, 'shape')).toBe(value);
  expect(parse(Shape, message(JSON.stringify(value)), 'shape')).toEqual(value);
});

test.each([
  [{ ...sound, kind: 'c' }, '/kind is a string: expected one of a, b'],
  [{ ...sound, at: 'yesterday' }, "/at is a string: expected string to match 'date-time' format"],
  [{ ...sound, size: 0 }, '/size is a number: expected integer to be greater or equal to 1 or null'],
  [{ ...sound, size: undefined }, '/size is missing'],
  [{ v: WIRE_VERSION }, '/kind is missing'],
  [{ ...sound, by: { x: { y: { n: 'one' } } } }, '/by/x/y/n is a string: expected integer'],
  [{ ...sound, payload: [] }, '/payload is an array: expected object'],
  [null, 'the message is null: expected object'],
  [[], 'the message is an array: expected object'],
  ['text', 'the message is a string: expected object'],
])('%j is refused with the field and what it should be', (value, expected) => {
  expect(fault(value)).toBe(`shape: ${expected}`);
});

test('the current version and the one before are read, no other', () => {
  for (const v of [WIRE_VERSION, WIRE_VERSION - 1]) expect(fault({ ...sound, v })).toBe('');
  for (const v of [WIRE_VERSION + 1, WIRE_VERSION - 2, '1', null]) {
    expect(fault({ ...sound, v })).toContain(`/v is ${JSON.stringify(v)}: expected version`);
  }
});

test('a shape without a version refuses one that is given and cannot be read', () => {
  const Bare = Type.Object({ id: Type.String() });
  expect(check(Bare, { id: 'x' }, 'bare')).toEqual({ id: 'x' });
  expect(check(Bare, { id: 'x', v: WIRE_VERSION }, 'bare')).toMatchObject({ id: 'x' });
  expect(() => check(Bare, { id: 'x', v: WIRE_VERSION + 1 }, 'bare')).toThrow('expected version');
});

test('the version of a message inside another one counts too', () => {
  const Outer = Type.Object({ inner: Shape });
  expect(() => check(Outer, { inner: { ...sound, v: 9 } }, 'outer')).toThrow(
    'outer: /inner/v is a number: expected version 0 or 1',
  );
});

test('a message that is no JSON is told apart from one of another shape', () => {
  expect(() => parse(Shape, message('{'), 'shape')).toThrow('shape: not JSON');
});

test.each(['2026-01-25T12:00:00Z', '2026-01-25t12:00:00.123456789z', '2026-12-31 23:59:60+01:00'])(
  '%s is a time',
  (at) => expect(fault({ ...sound, at })).toBe(''),
);
test.each(['2026-01-25', '2026-13-25T12:00:00Z', '2026-01-25T12:00:00', '2026-01-25T25:00:00Z', ''])(
  '"%s" is no time',
  (at) => expect(fault({ ...sound, at })).toContain('/at'),
);

test('a list on the hot path is checked for its versions only', () => {
  const items = [{ v: WIRE_VERSION }, { v: WIRE_VERSION - 1, anything: 'else' }, {}];
  expect(readableItems(items, 'batch')).toBe(items);
  for (const bad of [{}, 'x', null, [null], [1], [{ v: 7 }]]) {
    expect(() => readableItems(bad, 'batch')).toThrow(MessageError);
  }
});

test('a message of a later version is recognised, whatever else it holds', () => {
  expect(isOfLaterVersion(message(`{"v":${WIRE_VERSION + 1}}`))).toBe(true);
  for (const text of ['{', 'null', '{}', '{"v":"9"}', `{"v":${WIRE_VERSION}}`]) {
    expect(isOfLaterVersion(message(text))).toBe(false);
  }
});
