import { createHash } from 'node:crypto';
import type { SchemaCheck } from './schema-thread';

/** `quick` checks are known to end soon; `suspect` checks are like one that broke its limit a moment ago. */
export type Rank = 'quick' | 'unknown' | 'suspect';
/** The rank and the time limit of a check before it runs, or its refusal. */
export type Forecast = { rank: Rank; limitMs: number } | 'refused';

const QUICK_MS = 100;
/** Without costly keywords, a check is quick up to this product of schema bytes and data bytes. */
const QUICK_WORK = 10_000_000;
const COSTLY = /"(pattern|patternProperties|uniqueItems|\$ref|\$dynamicRef|\$recursiveRef)":/;
/** How long a check that broke its limit counts against similar checks. */
const REMEMBER_MS = 60_000;
const REMEMBERED = 1_000;
/** The part of the time that suspects get. */
const SUSPECT_PART = 4;

/**
 * Predicts what checks cost, from their text and from earlier checks. A sender's slow checks must not delay those of
 * others. The worker does not know the senders, so it tells checks apart by the structure of their schemas.
 */
export class SchemaCosts {
  /** Hashes of schemas whose latest check was quick. */
  private readonly quick = new Set<string>();
  /** Until when a schema, a family of schemas or an input (schema and data) counts as slow. */
  private readonly slow = new Map<string, number>();

  constructor(private readonly timeMs: number) {}

  forecast(check: SchemaCheck, nowMs: number): Forecast {
    const { schema, data } = check;
    const plain = schema.length * data.length <= QUICK_WORK && !COSTLY.test(schema);
    const full = { limitMs: this.timeMs };
    if (this.slow.size > 0) {
      if (this.isSlow(inputKey(check), nowMs)) return 'refused';
      if (this.isSlow(familyKey(schema), nowMs) && (!plain || this.isSlow(schemaKey(schema), nowMs))) {
        return { rank: 'suspect', limitMs: this.timeMs / SUSPECT_PART };
      }
    }
    if (plain || this.quick.has(schemaKey(schema))) return { rank: 'quick', ...full };
    return { rank: 'unknown', ...full };
  }

  /** The check took this long and broke no limit. */
  took({ schema }: SchemaCheck, rank: Rank, ms: number): void {
    if (rank === 'quick' && ms <= QUICK_MS) return;
    const key = schemaKey(schema);
    this.quick.delete(key);
    if (ms > QUICK_MS) return;
    this.quick.add(key);
    dropOldest(this.quick);
  }

  /** The check broke its limit. */
  broke(check: SchemaCheck, nowMs: number): void {
    this.remember([inputKey(check), schemaKey(check.schema), familyKey(check.schema)], nowMs);
    this.quick.delete(schemaKey(check.schema));
  }

  /** The check got only `usedMs` of processor time: too little for a verdict, but enough to make it a suspect. */
  starved({ schema }: SchemaCheck, usedMs: number, nowMs: number): void {
    if (usedMs < this.timeMs / SUSPECT_PART) return;
    this.remember([schemaKey(schema), familyKey(schema)], nowMs);
  }

  private remember(keys: string[], nowMs: number): void {
    for (const key of keys) {
      this.slow.delete(key);
      this.slow.set(key, nowMs + REMEMBER_MS);
      dropOldest(this.slow);
    }
  }

  private isSlow(key: string, nowMs: number): boolean {
    const untilMs = this.slow.get(key);
    if (untilMs === undefined) return false;
    if (untilMs > nowMs) return true;
    this.slow.delete(key);
    return false;
  }
}

function dropOldest(kept: Set<string> | Map<string, unknown>): void {
  const [oldest] = kept.keys();
  if (kept.size > REMEMBERED && oldest !== undefined) kept.delete(oldest);
}

/** Only the keywords and their nesting count, because names and numbers can be varied without end. */
const TOKENS = /"(?:[^"\\]|\\.)*"(:?)|-?\d[\d.eE+-]*/g;
const KEYWORDS = new Set([
  ...[
    'additionalItems',
    'additionalProperties',
    'allOf',
    'anyOf',
    'const',
    'contains',
    'dependencies',
    'else',
    'enum',
  ],
  ...['format', 'if', 'items', 'not', 'oneOf', 'pattern', 'patternProperties', 'prefixItems', 'properties'],
  ...['propertyNames', 'then', 'type', 'unevaluatedItems', 'unevaluatedProperties', 'uniqueItems', '$ref'],
]);
const ANNOTATIONS = /,?"(?:title|description|\$comment)":"(?:[^"\\]|\\.)*"/g;

/** A schema without titles, descriptions and the like. */
function bare(schema: string): string {
  return schema.replace(ANNOTATIONS, '').replace(/\{,/g, '{');
}

function familyKey(schema: string): string {
  const skeleton = bare(schema).replace(TOKENS, (token: string, colon: string) => {
    if (!colon) return '';
    return KEYWORDS.has(token.slice(1, -2)) ? token : ':';
  });
  return `family ${digest(skeleton)}`;
}

function schemaKey(schema: string): string {
  return `schema ${digest(schema)}`;
}

function inputKey({ schema, data }: SchemaCheck): string {
  return `input ${digest(`${bare(schema)}\n${data}`)}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
