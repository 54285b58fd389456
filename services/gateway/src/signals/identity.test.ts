import { ApiError } from '../problem';
import { identify } from './identity';

const INPUT = { signal_type: 'execute', payload: {}, priority: 3, timeout_ms: 1_000 } as const;
const idOf = (key: string, client = 'anonymous'): string => identify(key, client, INPUT).id;

test('a key keeps its id from one version to the next', () => {
  expect(idOf('order-42')).toBe('25b6f12e-1af4-501d-81b2-af080342cc52');
  expect(idOf('order-42', 'shop')).toBe('e99728ff-c2ec-5837-8fea-eba5caefb491');
});

test.each(['order:42', 'order.42', '2026-01-25T12:00:00.000Z', 'urn:uuid:0', '_', 'k'.repeat(64)])(
  'the key %s is one signal',
  (key) => {
    expect(idOf(key)).toBe(idOf(key));
    expect(idOf(key)).not.toBe(idOf('another'));
  },
);

test.each(['a/b', 'a b', 'a,b', 'ä', '', 'k'.repeat(65)])(
  'the key "%s" is refused with what is allowed',
  (key) => {
    expect(() => idOf(key)).toThrow(ApiError);
    expect(() => idOf(key)).toThrow(
      `Idempotency-Key: "${key}" is not allowed: must be 1 to 64 characters, each a letter, a digit or one of "_", ".", ":" and "-".`,
    );
  },
);
