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
