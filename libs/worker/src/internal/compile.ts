import type { TSchema } from '@sinclair/typebox';
import { SIGNAL_TYPE_PATTERN } from '@tps/contracts';
import { describeThrown } from '@tps/service';
import Ajv, { type ValidateFunction } from 'ajv';
import type { CompiledDefinition } from './attempt';
import { withChaos } from './chaos';
import { DefinitionError, type HandlerContext, type SignalDefinition } from '../definition';

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_RETRY = { base_ms: 200, cap_ms: 30_000 };
/** A timer that is set for longer fires at once. */
const MAX_MS = 2 ** 31 - 1;
const MAX_ATTEMPTS = 1_000;

/**
 * @param maxAttempts of a type that does not say
 * @throws DefinitionError
 */
export function compile(
  definition: SignalDefinition,
  maxAttempts: number,
  chaos: boolean,
): CompiledDefinition {
  const { name, output, standardMs, timeoutMs = DEFAULT_TIMEOUT_MS } = definition;
  checkWords(definition);
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
  const served = withChaos(definition, chaos);
  return Object.freeze({
    ...served,
    // Called on the definition, so that its `this` is not what the station works with.
    run: (input: unknown, context: HandlerContext) => served.run(input, context),
    timeoutMs,
    retry: Object.freeze(retry),
    checkOutput: outputCheck(name, output),
  });
}

/** Types are checked at compile time only for users of TypeScript. */
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
    // Its check would answer with a promise, which looks like "valid" and rejects where nobody waits for it.
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
    throw new DefinitionError(`output of ${name} is no usableCards schema: ${describeThrown(error).message}`);
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
