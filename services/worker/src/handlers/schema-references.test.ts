import { outsideReference } from './schema-references';

const there = { $ref: 'x.json' };

test.each([
  ['$ref', there],
  ['$dynamicRef', { $dynamicRef: 'x.json' }],
  ['$recursiveRef', { $recursiveRef: 'x.json' }],
  ...[
    'additionalItems',
    'additionalProperties',
    'contains',
    'contentSchema',
    'else',
    'if',
    'items',
    'not',
  ].map((keyword) => [keyword, { [keyword]: there }] as const),
  ...['propertyNames', 'then', 'unevaluatedItems', 'unevaluatedProperties'].map(
    (keyword) => [keyword, { [keyword]: there }] as const,
  ),
  ...['allOf', 'anyOf', 'oneOf', 'items', 'prefixItems'].map(
    (keyword) => [`${keyword} in a list`, { [keyword]: [true, there] }] as const,
  ),
  ...['$defs', 'definitions', 'dependencies', 'dependentSchemas', 'patternProperties', 'properties'].map(
    (keyword) => [keyword, { [keyword]: { const: there } }] as const,
  ),
  ['a deeper place', { properties: { a: { items: [{ not: { anyOf: [there] } }] } } }],
] as [string, object][])('finds a reference in %s', (_, schema) => {
  expect(outsideReference(schema)).toBe('x.json');
});

test.each([
  ['const', { const: there }],
  ['enum', { enum: [there, { deep: [there] }] }],
  ['default', { default: there }],
  ['examples', { examples: [there] }],
  ['an unknown keyword', { 'x-origin': there }],
  ['a property called so', { properties: { $ref: { type: 'string' } }, required: ['$ref'] }],
  ['a definition called so', { $defs: { $ref: { type: 'string' } } }],
  ['a list of properties', { dependencies: { a: ['$ref'] } }],
  ['a place within', { $ref: '#/definitions/a', definitions: { a: {} } }],
  ['the whole', { items: { $ref: '#' } }],
  ['a reference that is no text', { $ref: 7 }],
  ['a boolean', true],
] as [string, unknown][])('takes %s for none', (_, schema) => {
  expect(outsideReference(schema)).toBeUndefined();
});
