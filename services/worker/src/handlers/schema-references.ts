const REFERENCES = ['$ref', '$dynamicRef', '$recursiveRef'];
/** Keywords of draft-07 and 2020-12 whose value is a schema or a list of schemas. */
const SCHEMAS = [
  ...['additionalItems', 'additionalProperties', 'allOf', 'anyOf', 'contains', 'contentSchema', 'else', 'if'],
  ...[
    'items',
    'not',
    'oneOf',
    'prefixItems',
    'propertyNames',
    'then',
    'unevaluatedItems',
    'unevaluatedProperties',
  ],
];
/** Keywords whose value maps names to schemas. */
const MAPS = ['$defs', 'definitions', 'dependencies', 'dependentSchemas', 'patternProperties', 'properties'];

/**
 * Finds the first reference that leads out of a schema. It looks only where a schema may be: `$ref` under `const`, `enum`,
 * `default` or `examples` is data, and under `properties` it is the name of a property.
 */
export function outsideReference(schema: unknown): string | undefined {
  if (!isObject(schema)) return undefined;
  for (const keyword of REFERENCES) {
    const target = schema[keyword];
    if (typeof target === 'string' && !target.startsWith('#')) return target;
  }
  for (const part of subschemas(schema)) {
    const found = outsideReference(part);
    if (found !== undefined) return found;
  }
  return undefined;
}

function* subschemas(schema: Record<string, unknown>): Generator<unknown> {
  for (const keyword of SCHEMAS) {
    const value = schema[keyword];
    if (Array.isArray(value)) yield* value as unknown[];
    else yield value;
  }
  for (const keyword of MAPS) {
    const named = schema[keyword];
    if (isObject(named)) yield* Object.values(named);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
