import type { TSchema } from '@sinclair/typebox';
import {
  ASYNC_RETRY_DEFAULTS,
  DEFAULT_TIMEOUT_MS,
  MAX_TIMER_MS,
  RETRY_DEFAULTS,
  RETRY_LIMITS,
  type RetryPolicy,
  SIGNAL_TYPE_PATTERN,
} from '@tps/contracts';
import { describeThrown } from '@tps/telemetry';
import Ajv, { type ValidateFunction } from 'ajv';
import type { CompiledDefinition } from './attempt';
import { withChaos } from './chaos';
import { DefinitionError, type HandlerContext, type SignalDefinition } from '../definition';

/**
 * @param maxAttempts the number of attempts for a type that does not set it
 * @throws DefinitionError
 */
export function compile(
  definition: SignalDefinition,
  maxAttempts: number,
  chaos: boolean,
): CompiledDefinition {
  const { name, output, standardMs, maxWaitMs, timeoutMs = DEFAULT_TIMEOUT_MS } = definition;
  checkWords(definition);
  checkNumber(`timeoutMs of ${name}`, timeoutMs, { min: 1, max: MAX_TIMER_MS, whole: true });
  const policies = retryPolicies(definition, maxAttempts);
  if (standardMs !== undefined)
    checkNumber(`standardMs of ${name}`, standardMs, { min: 0, max: MAX_TIMER_MS });
  if (maxWaitMs !== undefined) checkNumber(`maxWaitMs of ${name}`, maxWaitMs, { min: 1, max: MAX_TIMER_MS });
  const served = withChaos(definition, chaos);
  return Object.freeze({
    ...served,
    // Called on the user's definition, so that a handler that writes to `this` does not change the compiled one.
    run: (input: unknown, context: HandlerContext) => served.run(input, context),
    timeoutMs,
    ...policies,
    checkOutput: outputCheck(name, output),
  });
}

/** A type that sets any part of its backoff has one backoff for all of its signals. */
function retryPolicies(
  { name, retry: own = {} }: SignalDefinition,
  maxAttempts: number,
): Pick<CompiledDefinition, 'retry' | 'asyncRetry'> {
  const retry: RetryPolicy = { ...RETRY_DEFAULTS, max_attempts: maxAttempts, ...own };
  for (const [field, limits] of Object.entries(RETRY_LIMITS)) {
    const value = retry[field as keyof RetryPolicy];
    const optional = !(field in RETRY_DEFAULTS);
    if (value === undefined && optional) continue;
    checkNumber(`retry.${field} of ${name}`, value, { ...limits, whole: field === 'max_attempts' });
  }
  const { max_attempts, ...backoff } = own;
  if (Object.keys(backoff).length > 0) return { retry: Object.freeze(retry) };
  const asyncRetry = { ...ASYNC_RETRY_DEFAULTS, max_attempts: max_attempts ?? maxAttempts };
  return { retry: Object.freeze(retry), asyncRetry: Object.freeze(asyncRetry) };
}

/** Checks at run time what only users of TypeScript have checked by the compiler. */
function checkWords(definition: SignalDefinition): void {
  const { name, success, input, output } = definition;
  if (typeof name !== 'string' || !new RegExp(SIGNAL_TYPE_PATTERN).test(name)) {
    throw new DefinitionError(`signal type "${String(name)}" must match ${SIGNAL_TYPE_PATTERN}`);
  }
  if (typeof definition.run !== 'function') throw new DefinitionError(`run of ${name} must be a function`);
  if (success !== undefined && typeof success !== 'string') {
    throw new DefinitionError(`success of ${name} must be a text`);
  }
  for (const [what, schema] of Object.entries({ input, output })) {
    // Its validator returns a promise, which looks like "valid" and rejects unhandled.
    if (schema?.$async) throw new DefinitionError(`${what} of ${name} must not be an $async schema`);
  }
}

function outputCheck(name: string, output: TSchema | undefined): CompiledDefinition['checkOutput'] {
  if (!output) return () => null;
  const ajv = new Ajv({ strict: false });
  const check = compiledSchema(ajv, name, output);
  return (result) => (check(result) ? null : ajv.errorsText(check.errors, { dataVar: 'result' }));
}

function compiledSchema(ajv: Ajv, name: string, output: TSchema): ValidateFunction {
  try {
    return ajv.compile(output);
  } catch (error) {
    throw new DefinitionError(`output of ${name} is no usable schema: ${describeThrown(error).message}`);
  }
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
