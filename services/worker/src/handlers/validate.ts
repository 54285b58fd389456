import { Type } from '@sinclair/typebox';
import { defineSignal, RejectedError, type SignalDefinition } from '@tps/worker';
import type { SchemaAnswer, SchemaCheck } from './schema-thread';
import { outsideReference } from './schema-references';
import type { SchemaThreads } from './schema-threads';

const MAX_SCHEMA_BYTES = 16 * 1024;

/** Checks `data` against `schema`; without a schema, checks that there is data. */
export function validateSignal(threads: SchemaThreads): SignalDefinition {
  return defineSignal({
    name: 'validate',
    input: Type.Object({
      data: Type.Optional(Type.Unknown({ description: 'the data to check' })),
      schema: Type.Optional(
        Type.Unknown({
          description:
            'JSON Schema, draft-07 or (by `$schema`) 2020-12; at most 16 KiB; references within it only',
        }),
      ),
    }),
    output: Type.Object({ valid: Type.Literal(true), items: Type.Optional(Type.Integer()) }),
    timeoutMs: 5_000,
    standardMs: 20,
    success: 'Validation successful',
    run: async ({ data, schema }, { endsAtMs }) => {
      if (data === undefined) throw new RejectedError('payload.data is missing');
      if (schema !== undefined) rejectFaults(await threads.check(writeDown(schema, data), endsAtMs));
      return { valid: true as const, ...(Array.isArray(data) ? { items: data.length } : {}) };
    },
  });
}

/** @throws RejectedError when the schema is too large or refers to anything outside of itself */
function writeDown(schema: unknown, data: unknown): SchemaCheck {
  if (schema === null || !['object', 'boolean'].includes(typeof schema)) {
    throw new RejectedError('payload.schema must be an object or a boolean');
  }
  const check = { schema: stringify(schema), data: stringify(data) };
  if (Buffer.byteLength(check.schema) > MAX_SCHEMA_BYTES) {
    throw new RejectedError(`payload.schema is larger than ${MAX_SCHEMA_BYTES} bytes`);
  }
  const target = outsideReference(schema);
  if (target === undefined) return check;
  throw new RejectedError(
    `payload.schema refers to ${target}: only references within it (#...) are followed`,
  );
}

function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // The schema is nested deeper than the stack. A RangeError would count as a defect of this handler.
    if (error instanceof RangeError) throw new RejectedError('the payload is nested too deeply');
    throw error;
  }
}

function rejectFaults(answer: SchemaAnswer): void {
  if ('unusable' in answer) throw new RejectedError(`payload.schema cannot be used: ${answer.unusable}`);
  if (answer.count === 0) return;
  const faults = answer.faults.map(({ instancePath, message, params }) => {
    const extra: unknown = params.additionalProperty ?? params.unevaluatedProperty;
    return `data${instancePath} ${message}${typeof extra === 'string' ? ` (${extra})` : ''}`;
  });
  if (answer.count > faults.length) faults.push(`${answer.count - faults.length} more`);
  throw new RejectedError(`data does not match its schema: ${faults.join('; ')}`);
}
