import type { IncomingMessage } from 'node:http';
import { ApiError } from '../problem';
import { queryOf, refuseQuery, withNumbers } from './query';

const request = (query: string): IncomingMessage => ({ url: `/signals${query}` }) as IncomingMessage;
const errorOf = (act: () => unknown): ApiError => {
  try {
    act();
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new TypeError('nothing was refused');
};

test.each<[query: string, read: Record<string, string>]>([
  ['', {}],
  ['?', {}],
  ['?&&', {}],
  ['?a=1&b=2', { a: '1', b: '2' }],
  ['?a', { a: '' }],
  ['?a=', { a: '' }],
  ['?a=b=c', { a: 'b=c' }],
  ['?a=x+y%20z', { a: 'x y z' }],
  ['?a=%2B%26%3D%3F', { a: '+&=?' }],
  ['?%61=1', { a: '1' }],
  ['?a=%C3%A4', { a: 'ä' }],
])('%j is read as %j', (query, read) => {
  expect(queryOf(request(query))).toEqual(read);
});

test.each<[query: string, path: string, rule: string]>([
  ['?a=1&a=1', '/a', 'once'],
  ['?a=1&%61=2', '/a', 'once'],
  ['?a=%', '/a', 'encoding'],
  ['?a=%C3', '/a', 'encoding'],
  ['?a=1?b=2', '/a', 'once'],
])('%j is refused at %s', (query, path, rule) => {
  const { code, details } = errorOf(() => queryOf(request(query)));
  expect(code).toBe('INVALID_REQUEST');
  expect(details.members).toMatchObject({ errors: [{ path, rule }] });
});

test('`__proto__` is a parameter like any other, and changes no object', () => {
  const query = queryOf(request('?__proto__=x'));
  expect(Object.keys(query)).toEqual(['__proto__']);
  expect(Object.getPrototypeOf(query)).toBe(Object.prototype);
});

test('a request that takes no parameters names those it got', () => {
  expect(() => refuseQuery(request(''))).not.toThrow();
  expect(() => refuseQuery(request('?'))).not.toThrow();
  const { details } = errorOf(() => refuseQuery(request('?a=1&b')));
  expect(details.members).toMatchObject({ errors: [{ path: '/a' }, { path: '/b' }] });
});

test.each<[text: string, typed: unknown]>([
  ['0', 0],
  ['10', 10],
  ['9007199254740991', Number.MAX_SAFE_INTEGER],
  // For the schema to refuse: nobody sends these on purpose.
  ['', ''],
  [' 10', ' 10'],
  ['010', '010'],
  ['1e1', '1e1'],
  ['0x10', '0x10'],
  ['-1', '-1'],
  ['1.5', '1.5'],
])('the parameter "%s" becomes %j', (text, typed) => {
  expect(withNumbers({ limit: text, other: '7' }, ['limit'])).toEqual({ limit: typed, other: '7' });
});
