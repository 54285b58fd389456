import { FormatRegistry, Kind, type Static, type TSchema } from '@sinclair/typebox';
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import type { ValueError } from '@sinclair/typebox/errors';
import { isReadableVersion, VERSION_KIND, WIRE_VERSION } from './version';

/** A message or stored value that does not have the shape its reader needs. The text says where, what and why. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
}

const DATE_TIME = /^\d{4}-\d\d-\d\d[t\s]\d\d:\d\d:\d\d/i;
FormatRegistry.Set('date-time', (value) => DATE_TIME.test(value) && !Number.isNaN(Date.parse(value)));
FormatRegistry.Set('uuid', (value) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value));

/** Compiling takes milliseconds, checking less than a microsecond: each schema is compiled once, when first used. */
const compiled = new WeakMap<TSchema, TypeCheck<TSchema>>();

function checkerOf(schema: TSchema): TypeCheck<TSchema> {
  const known = compiled.get(schema) ?? TypeCompiler.Compile(schema);
  compiled.set(schema, known);
  return known;
}

/**
 * Checks a value against its schema. Fields that the schema does not know stay: a later version may have added them.
 *
 * @param what names the message in the error, for example its subject or bucket and key
 * @returns the value itself
 * @throws MessageError names the first field that does not fit and what it should be
 */
export function check<S extends TSchema>(schema: S, value: unknown, what: string): Static<S> {
  assertReadable(value, what);
  const checker = checkerOf(schema);
  if (checker.Check(value)) return value;
  const fault = checker.Errors(value).First();
  throw new MessageError(`${what}: ${fault ? describe(fault) : 'does not fit its schema'}`);
}

/**
 * Reads a message of the broker: JSON of the shape that its schema says.
 *
 * @param message a NATS message, stored message or key-value entry
 * @throws MessageError
 */
export function parse<S extends TSchema>(schema: S, message: { json(): unknown }, what: string): Static<S> {
  return check(schema, jsonOf(message, what), what);
}

/** Requests and replies need no version; one that has an unreadable version is refused, whatever else it holds. */
function assertReadable(value: unknown, what: string): void {
  const v = (value as { v?: unknown } | null | undefined)?.v;
  if (v !== undefined && !isReadableVersion(v)) throw new MessageError(`${what}: /v ${versionFault(v)}`);
}

function jsonOf(message: { json(): unknown }, what: string): unknown {
  try {
    return message.json();
  } catch (error) {
    throw new MessageError(`${what}: not JSON`, { cause: error });
  }
}

/** Of a union, the fault of the alternative that fits furthest says what is wrong; the union alone says nothing. */
function describe(fault: ValueError): string {
  const alternatives = fault.errors.flatMap((errors) => [...errors]);
  if (alternatives.length > 0) {
    return describe(alternatives.reduce((deepest, one) => (depthOf(one) > depthOf(deepest) ? one : deepest)));
  }
  return `${fault.path || 'the message'} ${expectation(fault)}`;
}

function depthOf({ path }: ValueError): number {
  return path.split('/').length;
}

function expectation({ schema, value, message }: ValueError): string {
  if (value === undefined) return 'is missing';
  const words = (schema as { enum?: unknown[] }).enum;
  if (words) return `must be one of ${words.join(', ')}`;
  if (schema[Kind] === VERSION_KIND) return versionFault(value);
  return `is not valid: ${message.replace(/^Expected/, 'expected')}, got ${Array.isArray(value) ? 'array' : typeof value}`;
}

function versionFault(v: unknown): string {
  return `is ${JSON.stringify(v)}: this process reads versions ${WIRE_VERSION - 1} and ${WIRE_VERSION}`;
}
