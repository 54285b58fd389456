import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import { DefectError, RejectedError, TransientError } from '../failure';
import { ReleasedError } from './attempt';

const raise = (what: unknown): never => {
  throw what;
};
/** An error with fields of any type, also those that cannot be assigned. */
const withFields = (fields: Record<string, unknown>, error = new Error('x')): Error =>
  Object.defineProperties(
    error,
    Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, { value }])),
  );
const withGetters = (...keys: string[]): Error =>
  Object.defineProperties(
    new Error('x'),
    Object.fromEntries(keys.map((key) => [key, { get: () => raise(new Error(`getter of ${key}`)) }])),
  );
/** Each of its traps throws. */
const bristling = (target: object = {}): object =>
  new Proxy(target, new Proxy({}, { get: () => () => raise(new Error('trap')) }));
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
/** Each prototype has another one. */
const endless = (): object => new Proxy({}, { getPrototypeOf: () => endless() });
function circular(): Record<string, unknown> {
  const loop: Record<string, unknown> = { n: 1n };
  loop.self = loop;
  return loop;
}
const nested = (depth: number): unknown => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`) as unknown;

/** A rejection with a value of any kind. */
export const rejected = async (reason: unknown): Promise<never> => raise(reason);

/** Values that handlers may throw, made anew for each use. */
export const HOSTILE_THROWN: Record<string, () => unknown> = {
  'a text': () => 'down',
  'an empty text': () => '',
  nothing: () => undefined,
  null: () => null,
  'a number': () => NaN,
  'a symbol': () => Symbol('s'),
  'a big integer': () => 10n,
  'a function': () => () => 1,
  'a plain object': () => ({ a: 1 }),
  'an object without a prototype': () => Object.create(null) as object,
  'a circular object': circular,
  'a list of sentences for a message': () => withFields({ message: ['a is no text', 'b is no number'] }),
  'an object for a message': () => withFields({ message: { a: 1 } }),
  'undefined for a message': () => withFields({ message: undefined }),
  'a circular object for a message': () => withFields({ message: circular() }),
  'a Proxy for a message': () => withFields({ message: bristling() }),
  'a number for a stack': () => withFields({ stack: 42 }),
  'a list for a stack': () => withFields({ stack: [{}] }),
  'an object for a name': () => withFields({ name: bristling() }),
  'getters that throw': () => withGetters('stack', 'message', 'name', 'cause'),
  'a rejection whose fields cannot be read': () =>
    Object.setPrototypeOf(withGetters('stack', 'message', 'name'), RejectedError.prototype) as object,
  'a retryAfterMs that is a text': () => withFields({ retryAfterMs: '5' }, new TransientError('x')),
  'a retryAfterMs that is no number': () => withFields({ retryAfterMs: NaN }, new TransientError('x')),
  'a retryAfterMs that cannot be read': () =>
    Object.setPrototypeOf(withGetters('retryAfterMs'), TransientError.prototype) as object,
  'a Proxy whose traps throw': () => bristling(),
  'an error in such a Proxy': () => bristling(new Error('x')),
  'a child of such a Proxy': () => Object.create(bristling()) as object,
  'a revoked Proxy': revoked,
  'an endless chain of prototypes': endless,
  'a huge message': () => new Error('x'.repeat(2_000_000)),
  'half a surrogate pair': () => new Error('line\nbreak\0\ud800'),
  'an error of another realm': () => runInNewContext('new TypeError("x")') as unknown,
  'an error with a circular cause': () => {
    const error = new Error('x');
    return Object.assign(error, { cause: error });
  },
  'an aggregate': () => new AggregateError([new Error('a'), bristling()], 'many'),
  'a thenable': () => ({ then: (resolve: (value: number) => void) => resolve(1) }),
  'the reason with which the worker releases a signal': () => new ReleasedError('let me go'),
  'an error that throws when it is printed': () =>
    withFields({
      [inspect.custom as unknown as string]: () => raise(1),
      toString: () => raise(2),
      toJSON: () => raise(3),
    }),
};

/** Values that handlers may return, and whether their attempts succeed by them. */
export const HOSTILE_RETURNED: Record<string, { make: () => unknown; ok: boolean }> = {
  nothing: { make: () => undefined, ok: true },
  null: { make: () => null, ok: true },
  'a function': { make: () => () => 1, ok: true },
  'a symbol': { make: () => Symbol('s'), ok: true },
  'a map': { make: () => new Map([[1, 2]]), ok: true },
  'a buffer': { make: () => Buffer.from('abc'), ok: true },
  'half a surrogate pair': { make: () => '\ud800', ok: true },
  'toJSON that returns nothing': { make: () => ({ toJSON: () => undefined }), ok: true },
  'a promise of another realm': { make: (): unknown => runInNewContext('Promise.resolve(1)'), ok: true },
  'a thenable': { make: () => ({ then: (resolve: (value: number) => void) => resolve(1) }), ok: true },
  'a thenable that resolves, rejects and throws': {
    make: () => ({
      then: (resolve: (value: number) => void, reject: (error: Error) => void) => {
        resolve(1);
        reject(new Error('no'));
        raise(new Error('nor this'));
      },
    }),
    ok: true,
  },
  'a big integer': { make: () => 10n, ok: false },
  'a circular object': { make: circular, ok: false },
  'toJSON that throws': { make: () => ({ toJSON: () => raise(bristling()) }), ok: false },
  'toJSON that rejects the signal': {
    make: () => ({ toJSON: () => raise(new RejectedError('x')) }),
    ok: false,
  },
  'a getter that throws': {
    make: () => ({
      deep: withGetters('x'),
      get a() {
        return raise(new Error('getter'));
      },
    }),
    ok: false,
  },
  'a Proxy whose traps throw': { make: () => bristling(), ok: false },
  'a revoked Proxy': { make: revoked, ok: false },
  'too deep a nesting': { make: () => nested(50_000), ok: false },
  'more than fits': { make: () => 'x'.repeat(300 * 1024), ok: false },
  'a thenable whose then cannot be read': {
    make: () => ({
      get then() {
        return raise(bristling());
      },
    }),
    ok: false,
  },
  'a thenable whose then can be read once': {
    make: () => {
      let read = 0;
      return {
        get then() {
          return (read += 1) > 1 ? raise(new DefectError('again')) : () => undefined;
        },
      };
    },
    ok: false,
  },
  'a thenable whose then throws': { make: () => ({ then: () => raise(Symbol('s')) }), ok: false },
  'a fake promise': { make: () => Object.create(Promise.prototype) as object, ok: false },
  'a promise that rejects with a Proxy': { make: () => rejected(bristling()), ok: false },
};
