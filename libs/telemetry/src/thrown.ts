import { inspect, types } from 'node:util';

/** A plain, bounded description of a thrown value. */
export interface Thrown {
  /** The error's own name; `typeof` for a value that is no error. */
  name: string;
  /** Never empty. */
  message: string;
  stack?: string;
}

const MAX_MESSAGE = 1_000;
const MAX_NAME = 100;
/** The start of a long stack repeats the message; the frames are at its end. */
const STACK_HEAD = 1_000;
const STACK_TAIL = 7_000;
/** No class hierarchy is deeper. The chain of a Proxy can be endless. */
const MAX_LINEAGE = 32;
const MAX_ITEMS = 20;
/** `inspect` methods of the value are not called. */
const INSPECT = { depth: 1, breakLength: Infinity, maxArrayLength: MAX_ITEMS, customInspect: false };
const UNDESCRIBABLE = 'a value that cannot be described';
const UNREADABLE = Symbol('unreadable');

/**
 * Describes anything that code may throw or reject with. Never throws itself: getters and Proxy traps may throw,
 * `message`, `name` and `stack` may be of any type, and strings may be long or contain half a surrogate pair.
 */
export function describeThrown(thrown: unknown): Thrown {
  if (!isObject(thrown)) return { name: typeof thrown, message: bounded(String(thrown)) };
  const stack = read(thrown, 'stack');
  const described: Thrown = { name: nameOf(thrown), message: bounded(messageOf(thrown)) };
  if (typeof stack === 'string' && stack !== '') described.stack = shortened(stack);
  return described;
}

/**
 * The chain of prototypes that `instanceof` walks, nearest first. Unlike `instanceof`, this walk never throws and
 * always ends, whatever a Proxy in the chain does.
 */
export function lineage(value: unknown): readonly object[] {
  const found: object[] = [];
  try {
    for (let next = prototypeOf(value); next && found.length < MAX_LINEAGE; next = prototypeOf(next)) {
      found.push(next);
    }
  } catch {
    // A Proxy refused: the prototypes before it count.
  }
  return found;
}

/** Tells an Error of any realm from other values. */
export function isError(value: unknown): boolean {
  return types.isNativeError(value) || lineage(value).includes(Error.prototype);
}

/** Reads a property; undefined when reading it throws. */
export function readSafely(from: unknown, key: string): unknown {
  const value = isObject(from) ? read(from, key) : undefined;
  return value === UNREADABLE ? undefined : value;
}

function prototypeOf(value: unknown): object | null {
  return Object.getPrototypeOf(value) as object | null;
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function read(from: object, key: string): unknown {
  try {
    return (from as Record<string, unknown>)[key];
  } catch {
    return UNREADABLE;
  }
}

function nameOf(thrown: object): string {
  const name = read(thrown, 'name');
  if (typeof name === 'string' && name !== '') return bounded(name, MAX_NAME);
  return isError(thrown) ? 'Error' : typeof thrown;
}

function messageOf(thrown: object): string {
  const message = read(thrown, 'message');
  if (typeof message === 'string') return message;
  if (message === UNREADABLE) return 'a value whose message cannot be read';
  if (message === undefined || message === null) return isError(thrown) ? '' : inspected(thrown);
  return inspected(message);
}

function inspected(value: unknown): string {
  try {
    // `inspect` walks the chain of prototypes, and the chain of a Proxy can be endless.
    if (lineage(value).length === MAX_LINEAGE) return UNDESCRIBABLE;
    return sentences(value) ?? inspect(value, { ...INSPECT, maxStringLength: MAX_MESSAGE });
  } catch {
    return UNDESCRIBABLE;
  }
}

/** Joins a list of texts: class-validator and its like put one where a message belongs. */
function sentences(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const items: unknown[] = [];
  for (let i = 0; i < Math.min(value.length, MAX_ITEMS); i += 1) items.push(value[i]);
  return items.every((item) => typeof item === 'string') ? items.join('; ') : undefined;
}

function bounded(text: string, limit = MAX_MESSAGE): string {
  return wellFormed(text.slice(0, limit)) || 'unnamed error';
}

function shortened(stack: string): string {
  if (stack.length <= STACK_HEAD + STACK_TAIL) return wellFormed(stack);
  return wellFormed(`${stack.slice(0, STACK_HEAD)}\n...\n${stack.slice(-STACK_TAIL)}`);
}

/** Replaces half surrogate pairs, also those that cutting leaves, by U+FFFD: UTF-8 cannot carry them. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}
