import { SIGNAL_TYPE_PATTERN } from '@tps/contracts';
import Ajv from 'ajv';
import type { CompiledSignal } from './attempt';
import { withChaos } from './chaos';
import type { SignalDefinition } from './definition';

/** A definition that cannot be served. */
export class DefinitionError extends Error {
  override readonly name = 'DefinitionError';
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_RETRY = { base_ms: 200, cap_ms: 30_000 };
/** A timer that is set for longer fires at once. */
const MAX_MS = 2 ** 31 - 1;
const MAX_ATTEMPTS = 1_000;

/**
 * @param maxAttempts of a type that does not say
 * @throws DefinitionError
 */
export function compile(definition: SignalDefinition, maxAttempts: number, chaos: boolean): CompiledSignal {
  const { name, output, standardMs, timeoutMs = DEFAULT_TIMEOUT_MS } = definition;
  if (!new RegExp(SIGNAL_TYPE_PATTERN).test(name)) {
    throw new DefinitionError(`signal type "${name}" must match ${SIGNAL_TYPE_PATTERN}`);
  }
  const retry = { max_attempts: maxAttempts, ...DEFAULT_RETRY, ...definition.retry };
  checkNumber(`timeoutMs of ${name}`, timeoutMs, { min: 1, max: MAX_MS, whole: true });
  checkNumber(`retry.max_attempts of ${name}`, retry.max_attempts, {
    min: 1,
    max: MAX_ATTEMPTS,
    whole: true,
  });
  checkNumber(`retry.base_ms of ${name}`, retry.base_ms, { min: 0, max: MAX_MS });
  checkNumber(`retry.cap_ms of ${name}`, retry.cap_ms, { min: 0, max: MAX_MS });
  if (standardMs !== undefined) checkNumber(`standardMs of ${name}`, standardMs, { min: 0, max: MAX_MS });
  const ajv = new Ajv({ strict: false });
  const check = output && ajv.compile(output);
  return {
    ...withChaos(definition, chaos),
    timeoutMs,
    retry,
    checkOutput: (result) =>
      !check || check(result) ? null : ajv.errorsText(check.errors, { dataVar: 'result' }),
  };
}

function checkNumber(
  what: string,
  value: unknown,
  { min, max, whole = false }: { min: number; max: number; whole?: boolean },
): void {
  const kind = whole ? Number.isInteger(value) : Number.isFinite(value);
  if (kind && (value as number) >= min && (value as number) <= max) return;
  throw new DefinitionError(
    `${what} is ${String(value)}: must be ${whole ? 'an integer' : 'a number'} from ${min} to ${max}`,
  );
}
