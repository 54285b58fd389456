import { RejectedError } from '@tps/worker';
import { handlerContext } from './context.fixture';
import { SchemaThreads } from './schema-threads';
import { validateSignal } from './validate';

describe('validate', () => {
  const threads = new SchemaThreads({ timeMs: 1_000 });
  const definition = validateSignal(threads);
  const run = async (payload: object): Promise<unknown> => definition.run(payload, handlerContext());
  const rejection = async (payload: object): Promise<string> => {
    const error: unknown = await run(payload).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RejectedError);
    return (error as Error).message;
  };
  afterAll(() => threads.close());

  it('without a schema, requires data and nothing else', async () => {
    expect(await run({ data: [1, 2, 3] })).toEqual({ valid: true, items: 3 });
    expect(await run({ data: null })).toEqual({ valid: true });
    expect(await rejection({ index: 1 })).toBe('payload.data is missing');
    expect(await rejection({ schema: true })).toBe('payload.data is missing');
  });

  it('checks data against its schema and reports the faults', async () => {
    const schema = {
      type: 'object',
      properties: { mail: { type: 'string', format: 'email' }, age: { minimum: 0 } },
      required: ['mail'],
      additionalProperties: false,
    };
    expect(await run({ data: { mail: 'a@b.org' }, schema })).toEqual({ valid: true });
    expect(await rejection({ data: { mail: 'a', age: -1, x: 1 }, schema })).toBe(
      'data does not match its schema: data must NOT have additional properties (x); ' +
        'data/mail must match format "email"; data/age must be >= 0',
    );
  });

  it('reports at most five faults', async () => {
    const message = await rejection({ data: Array(9).fill(1), schema: { items: { type: 'string' } } });
    expect(message).toMatch(/data\/4 must be string; 4 more$/);
  });

  it('knows draft-07 by default, draft 2020-12 by name, and no other', async () => {
    const schema = { prefixItems: [{ type: 'string' }] };
    const $schema = 'https://json-schema.org/draft/2020-12/schema';
    expect(await run({ data: [1], schema })).toEqual({ valid: true, items: 1 });
    expect(await rejection({ data: [1], schema: { $schema, ...schema } })).toContain('data/0 must be string');
    const unknown = { $schema: 'http://evil.example/meta' };
    expect(await rejection({ data: 1, schema: unknown })).toContain('http://evil.example/meta is neither');
  });

  it.each(['http://evil.example/schema', 'other.json', 'file:///etc/passwd'])(
    'follows no reference to %s',
    async ($ref) => {
      const schema = { $defs: { unused: { $ref } } };
      expect(await rejection({ data: 1, schema })).toContain(`payload.schema refers to ${$ref}`);
    },
  );

  it.each([
    ['const', { const: { $ref: 'x.json' } }, { $ref: 'x.json' }, { $ref: 'y.json' }],
    ['enum', { enum: [{ $ref: 'x.json' }] }, { $ref: 'x.json' }, {}],
    ['default', { default: { $ref: 'x.json' }, type: 'object' }, {}, 1],
    ['examples', { examples: [{ $ref: 'x.json' }], type: 'object' }, {}, 1],
    [
      'a property called $ref',
      { properties: { $ref: { type: 'string' } }, required: ['$ref'] },
      { $ref: 'x.json' },
      { $ref: 1 },
    ],
    [
      'a property that must not be called $ref',
      { propertyNames: { not: { const: '$ref' } } },
      {},
      { $ref: '' },
    ],
    ['an unknown keyword', { 'x-origin': { $ref: 'x.json' }, type: 'object' }, {}, 1],
    ['const with $id', { const: { $id: 'x.json', $anchor: 'a' } }, { $id: 'x.json', $anchor: 'a' }, {}],
  ])('uses a reference in %s as data', async (_, schema, valid, invalid) => {
    const dialects = [{}, { $schema: 'https://json-schema.org/draft/2020-12/schema' }];
    for (const dialect of dialects) {
      expect(await run({ data: valid, schema: { ...dialect, ...schema } })).toEqual({ valid: true });
      expect(await rejection({ data: invalid, schema: { ...dialect, ...schema } })).toContain(
        'does not match',
      );
    }
  });

  it('rejects a reference that leads out through an unknown keyword', async () => {
    const schema = { $ref: '#/x-parts/a', 'x-parts': { a: { $ref: 'x.json' } } };
    expect(await rejection({ data: 1, schema })).toContain("can't resolve reference x.json");
  });

  it('follows references within the schema', async () => {
    const schema = { definitions: { n: { type: 'number' } }, items: { $ref: '#/definitions/n' } };
    expect(await run({ data: [1], schema })).toEqual({ valid: true, items: 1 });
    expect(await rejection({ data: ['x'], schema })).toContain('data/0 must be number');
  });

  it('keeps schemas of the same $id apart', async () => {
    const $id = 'https://example.org/thing';
    expect(await run({ data: 1, schema: { $id, type: 'number' } })).toEqual({ valid: true });
    expect(await run({ data: 'x', schema: { $id, type: 'string' } })).toEqual({ valid: true });
  });

  it.each([
    ['is larger than 16384 bytes', { enum: ['x'.repeat(16 * 1024)] }],
    ['must be an object or a boolean', null],
    ['schema/type must be', { type: 'nonsense' }],
    ['Invalid regular expression', { pattern: '(' }],
    ['Maximum call stack', { allOf: [{ $ref: '#' }] }],
    ['$async is not supported', { $async: true }],
    ['took longer than 1000 ms', { pattern: '^(a+)+$' }],
    ['took longer than 1000 ms', exponential(40)],
  ])('rejects a schema that %s', async (message, schema) => {
    expect(await rejection({ data: `${'a'.repeat(40)}!`, schema })).toContain(message);
  });

  it('rejects a schema that is nested deeper than the stack', async () => {
    let data: unknown[] = [];
    for (let depth = 0; depth < 100_000; depth += 1) data = [data];
    expect(await rejection({ data, schema: true })).toBe('the payload is nested too deeply');
  });
});

/** Doubles the work with every level. */
function exponential(levels: number): object {
  const definitions: Record<string, object> = { [`d${levels}`]: { type: 'string' } };
  for (let level = 0; level < levels; level += 1) {
    const $ref = `#/definitions/d${level + 1}`;
    definitions[`d${level}`] = { allOf: [{ $ref }, { $ref }] };
  }
  return { definitions, $ref: '#/definitions/d0' };
}
