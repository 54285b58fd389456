import { FormatRegistry, Kind, type Static, type TSchema } from '@sinclair/typebox';
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import type { ValueError } from '@sinclair/typebox/errors';
import { isReadableVersion, VERSION_KIND, WIRE_VERSION } from './version';

/** A message or stored value that does not have the shape its reader needs. The text says where, what and why. */
export class MessageError extends Error {
  override readonly name = 'MessageError';
}

/** A NATS message, a stored message or an entry of a bucket. */
export interface Message {
  json(): unknown;
}

const READABLE = `version ${WIRE_VERSION - 1} or ${WIRE_VERSION}`;

/** RFC 3339. `Date.parse` would take most of the time that a check takes. */
const DATE_TIME =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[t\s]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(z|[+-]\d\d(:?\d\d)?)$/i;
FormatRegistry.Set('date-time', (value) => DATE_TIME.test(value));
FormatRegistry.Set('uuid', (value) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value));

/** Compiling takes milliseconds, checking less than a microsecond: each schema is compiled once, when first used. */
const compiled = new WeakMap<TSchema, TypeCheck<TSchema>>();

function checkerOf(schema: TSchema): TypeCheck<TSchema> {
  const known = compiled.get(schema) ?? TypeCompiler.Compile(schema);
  compiled.set(schema, known);
  return known;
}

/**
 * Reads a message: JSON of the shape that its schema says. Fields that the schema does not know stay, because a later
 * version may have added them.
 *
 * @param what names the message in the error, for example its subject or its bucket and key
 * @throws MessageError names the first field that does not fit and what it should be
 */
export function parse<S extends TSchema>(schema: S, message: Message, what: string): Static<S> {
  return check(schema, jsonOf(message, what), what);
}

/** Checks a value that is JSON already, as `parse` does, and returns it. */
export function check<S extends TSchema>(schema: S, value: unknown, what: string): Static<S> {
  assertReadable(value, what);
  const checker = checkerOf(schema);
  if (checker.Check(value)) return value;
  const fault = checker.Errors(value).First();
  throw new MessageError(`${what}: ${fault ? describe(fault) : 'does not fit its schema'}`);
}

/**
 * Reads a message as JSON.
 *
 * @throws MessageError when it is none
 */
export function jsonOf(message: Message, what: string): unknown {
  try {
    return message.json();
  } catch (error) {
    throw new MessageError(`${what}: not JSON`, { cause: error });
  }
}

/**
 * Checks the items of a message on the path of every signal: that they are objects, of a version that this code reads.
 *
 * @throws MessageError
 */
export function readableItems(value: unknown, what: string): object[] {
  if (!Array.isArray(value)) throw new MessageError(`${what}: the message must be a list`);
  for (const item of value as unknown[]) {
    if (typeof item !== 'object' || item === null) throw new MessageError(`${what}: an item is no object`);
    assertReadable(item, what);
  }
  return value as object[];
}

/** Whether a message has a version that only later code reads: during an upgrade that is no fault of the message. */
export function isOfLaterVersion(message: Message): boolean {
  try {
    const { v } = message.json() as { v?: unknown };
    return typeof v === 'number' && v > WIRE_VERSION;
  } catch {
    return false;
  }
}

/** Requests and replies need no version, but one of an unreadable version is refused whatever else it holds. */
function assertReadable(value: unknown, what: string): void {
  const v = (value as { v?: unknown } | null | undefined)?.v;
  if (v !== undefined && !isReadableVersion(v))
    throw new MessageError(`${what}: /v is ${JSON.stringify(v)}: expected ${READABLE}`);
}

/** Describes a fault. A fault of a union is described by the alternatives that fit furthest. */
function describe(fault: ValueError): string {
  const faults = furthest([fault]);
  const { path, value } = faults[0] as ValueError;
  if (value === undefined) return `${path} is missing`;
  const wanted = [...new Set(faults.filter((one) => one.path === path).map(expectation))];
  return `${path || 'the message'} is ${typeOf(value)}: expected ${wanted.join(' or ')}`;
}

function furthest(faults: ValueError[]): ValueError[] {
  const leaves = faults.flatMap((one) => {
    const inner = one.errors.flatMap((errors) => [...errors]);
    return inner.length > 0 ? furthest(inner) : [one];
  });
  const depth = (one: ValueError): number => one.path.split('/').length;
  const deepest = Math.max(...leaves.map(depth));
  return leaves.filter((one) => depth(one) === deepest);
}

/** The value itself may be secret. */
function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function expectation({ schema, message }: ValueError): string {
  const words = (schema as { enum?: unknown[] }).enum;
  if (words) return `one of ${words.join(', ')}`;
  if (schema[Kind] === VERSION_KIND) return READABLE;
  return message.replace(/^Expected /, '');
}
