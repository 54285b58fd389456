import { DefinitionError } from '../definition';
import { compile } from './compile';
import type { SignalDefinition } from '../definition';

const compiled = (given: Partial<SignalDefinition>): unknown =>
  compile({ name: 'demo', run: () => 1, ...given }, 3, false);

it.each([
  [{ timeoutMs: 0 }, 'timeoutMs of demo is 0: must be an integer from 1 to 2147483647'],
  [{ timeoutMs: 2 ** 31 }, 'timeoutMs of demo is 2147483648'],
  [{ timeoutMs: Infinity }, 'timeoutMs of demo is Infinity'],
  [{ timeoutMs: 1.5 }, 'timeoutMs of demo is 1.5'],
  [{ standardMs: NaN }, 'standardMs of demo is NaN: must be a number'],
  [{ retry: { max_attempts: 0 } }, 'retry.max_attempts of demo is 0'],
  [{ retry: { max_attempts: 101 } }, 'retry.max_attempts of demo is 101: must be an integer from 1 to 100'],
  [{ retry: { cap_ms: 2 ** 31 } }, 'retry.cap_ms of demo is 2147483648'],
  [{ retry: { base_ms: -1 } }, 'retry.base_ms of demo is -1'],
  [{ retry: { factor: 0 } }, 'retry.factor of demo is 0: must be a number from 1 to 100'],
  [{ retry: { jitter: 2 } }, 'retry.jitter of demo is 2: must be a number from 0 to 1'],
  [{ name: 'No' }, 'signal type "No"'],
])('%j is refused', (given, message) => {
  expect(() => compiled(given)).toThrow(DefinitionError);
  expect(() => compiled(given)).toThrow(message);
});

it('takes the limits themselves', () => {
  expect(compiled({ timeoutMs: 1 })).toMatchObject({
    timeoutMs: 1,
    retry: { max_attempts: 3, base_ms: 200, cap_ms: 30_000 },
  });
  expect(compiled({ retry: { max_attempts: 100 } })).toMatchObject({ retry: { max_attempts: 100 } });
  expect(compiled({ timeoutMs: 2 ** 31 - 1 })).toMatchObject({ timeoutMs: 2 ** 31 - 1 });
});

it('keeps the longer backoff of signals that nobody waits for, unless the type has a backoff of its own', () => {
  const usual = { base_ms: 2_000, cap_ms: 300_000, factor: 5, jitter: 0.5 };
  expect(compiled({})).toMatchObject({ asyncRetry: { max_attempts: 3, ...usual } });
  expect(compiled({ retry: { max_attempts: 5 } })).toMatchObject({
    asyncRetry: { max_attempts: 5, ...usual },
  });
  expect(compiled({ retry: { base_ms: 10 } })).not.toHaveProperty('asyncRetry');
});
