import { jsonPointer, textFaults } from './json-text';

/** One thing that is wrong with a request. `path` is a JSON pointer into the body. */
export interface Fault {
  path: string;
  message: string;
  rule: string;
}

export { jsonPointer, textFaults };

/** A text as JavaScript values, and the faults that no schema sees. */
export interface ParsedJson {
  value: unknown;
  /** Empty: `value` holds everything that the text says. */
  faults: Fault[];
}

/** The deepest nesting of objects and arrays in a body. */
const MAX_JSON_DEPTH = 20;
/** The largest number of keys in a payload, over all its objects. */
const MAX_JSON_KEYS = 1_000;
/** A body of nothing but faults is not worth a longer list. */
export const MAX_FAULTS = 100;
/** Harmless here, but not in every program that merges the payload into something. */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);
/** From here on doubles skip whole numbers. */
const FIRST_INEXACT = 2 ** 53;
/** Without a negative exponent, a fraction needs more leading zeros than this to become 0. */
const MANY_ZEROS = `.${'0'.repeat(300)}`;

/**
 * Parses JSON and lists the faults that no schema sees: depth, number of keys, keys that poison prototypes, and the
 * silent changes of `JSON.parse`, which keeps the last of two equal keys and rounds whole numbers beyond 2^53.
 *
 * A second scan of the text finds those changes. It runs only if the value gives a reason: a number from 2^53 on, a zero
 * that may be a rounded fraction, or more quotes in the text than keys and strings need.
 * @throws SyntaxError
 */
export function parseJson(text: string): ParsedJson {
  const value: unknown = JSON.parse(text);
  const shape = new Shape();
  shape.walk(value, 0);
  const faults = shape.allFaults();
  // The scan recurses: the depth must be known to be bounded.
  if (faults.length === 0 && mayDiffer(text, shape)) return { value, faults: textFaults(text, MAX_FAULTS) };
  return { value, faults };
}

class Shape {
  /** Keys count too: each takes two quotes in the text, as a string does. */
  strings = 0;
  large = false;
  zero = false;
  private readonly faults: Fault[] = [];
  private readonly path: (string | number)[] = [];
  /** Keys of the body itself do not count: the payload is what is limited. */
  private payloadKeys = 0;

  walk(value: unknown, depth: number): void {
    if (typeof value === 'number') return this.number(value);
    if (typeof value === 'string') this.strings += 1;
    if (typeof value !== 'object' || value === null || this.full) return;
    if (depth > MAX_JSON_DEPTH) return this.add(`is nested deeper than ${MAX_JSON_DEPTH} levels`, 'depth');
    if (!Array.isArray(value)) return this.object(value as Record<string, unknown>, depth);
    for (let i = 0; i < value.length; i += 1) {
      this.path.push(i);
      this.walk(value[i], depth + 1);
      this.path.pop();
    }
  }

  allFaults(): Fault[] {
    if (this.payloadKeys <= MAX_JSON_KEYS) return this.faults;
    return [
      ...this.faults,
      { path: '/payload', message: `has more than ${MAX_JSON_KEYS} keys`, rule: 'keys' },
    ];
  }

  private object(value: Record<string, unknown>, depth: number): void {
    for (const key of Object.keys(value)) {
      this.strings += 1;
      if (depth > 0 && (this.payloadKeys += 1) > MAX_JSON_KEYS) return;
      this.path.push(key);
      if (FORBIDDEN_KEYS.has(key)) this.add('is not allowed as a key', 'key');
      this.walk(value[key], depth + 1);
      this.path.pop();
    }
  }

  private number(value: number): void {
    if (value === 0) this.zero = true;
    else if (value >= FIRST_INEXACT || value <= -FIRST_INEXACT) {
      if (value === Infinity || value === -Infinity) this.add('is out of range for a number', 'range');
      else this.large = true;
    }
  }

  private get full(): boolean {
    return this.payloadKeys > MAX_JSON_KEYS || this.faults.length >= MAX_FAULTS;
  }

  private add(message: string, rule: string): void {
    if (this.faults.length >= MAX_FAULTS) return;
    this.faults.push({ path: jsonPointer(this.path), message, rule });
  }
}

function mayDiffer(text: string, { large, zero, strings }: Shape): boolean {
  return large || (zero && mayBeTiny(text)) || quotesIn(text) !== 2 * strings;
}

function mayBeTiny(text: string): boolean {
  return text.includes('e-') || text.includes('E-') || text.includes(MANY_ZEROS);
}

/** Two for each key and string. More mean an escaped quote in a string, or a key that an object has twice. */
function quotesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) count += 1;
  return count;
}
