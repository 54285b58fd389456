import { type Rank, SchemaCosts } from './schema-costs';
import type { SchemaCheck } from './schema-thread';

const T0 = 1_000_000;
const MINUTE_MS = 60_000;
const check = (schema: unknown, data: unknown = 'x'): SchemaCheck => ({
  schema: JSON.stringify(schema),
  data: JSON.stringify(data),
});
const pattern = (text: string, more: object = {}): SchemaCheck =>
  check({ type: 'string', pattern: text, ...more });

describe('SchemaCosts', () => {
  const costs = new SchemaCosts(1_000);
  const rank = (of: SchemaCheck, nowMs = T0): Rank | 'refused' => {
    const forecast = costs.forecast(of, nowMs);
    return forecast === 'refused' ? forecast : forecast.rank;
  };

  test.each([
    ['quick', { type: 'object', properties: { a: { enum: ['pattern'] } } }, { a: 1 }],
    ['unknown', { properties: { a: { pattern: '^a' } } }, { a: 1 }],
    ['unknown', { definitions: { a: {} }, $ref: '#/definitions/a' }, 1],
    ['unknown', { type: 'array', items: { type: 'integer' }, maxItems: 9 }, 'x'.repeat(200_000)],
  ] as const)('before any check, %s is the rank of %j', (expected, schema, data) => {
    expect(rank(check(schema, data))).toBe(expected);
  });

  test('a schema is quick after a quick check, until a check takes long', () => {
    const mine = pattern('^[a-z]+$');
    costs.took(mine, 'unknown', 5);
    expect(rank(mine)).toBe('quick');
    costs.took(mine, 'quick', 200);
    expect(rank(mine)).toBe('unknown');
  });

  test('a schema that broke its limit with the same data is refused for a minute, whatever its title', () => {
    const slow = pattern('^(a+)+$', { title: 'one' });
    costs.took(slow, 'unknown', 5);
    costs.broke(slow, T0);
    expect(rank(slow)).toBe('refused');
    expect(rank(pattern('^(a+)+$', { title: 'two' }))).toBe('refused');
    expect(rank({ ...slow, data: '"other"' })).toBe('suspect');
    costs.took({ ...slow, data: '"other"' }, 'suspect', 5);
    expect(rank({ ...slow, data: '"other"' })).toBe('suspect');
    expect(rank(slow, T0 + MINUTE_MS)).not.toBe('refused');
  });

  test('schemas of the same structure get a quarter of the time, others all of it', () => {
    costs.broke(pattern('^(a+)+$'), T0);
    const suspect = { rank: 'suspect', limitMs: 250 };
    const variants = [
      pattern('^(b+)+$'),
      pattern('^(c+)+$', { description: 'mine' }),
      check({ title: 'mine', type: 'string', pattern: '^(c|c)+$' }),
      check({ type: 'string', pattern: '^(d|d)*$' }),
    ];
    for (const variant of variants) expect(costs.forecast(variant, T0)).toEqual(suspect);
    const others = [
      check({ pattern: '^a' }),
      check({ properties: { a: { type: 'string', pattern: '^a' } } }),
    ];
    for (const other of others)
      expect(costs.forecast(other, T0)).toEqual({ rank: 'unknown', limitMs: 1_000 });
    expect(rank(check({ type: 'string' }))).toBe('quick');
  });

  test('a plain schema that broke a limit is a suspect, and similar ones are not', () => {
    const plain = check({ allOf: [{ const: 1 }, { const: 2 }] });
    costs.broke(plain, T0);
    expect(rank({ ...plain, data: '1' })).toBe('suspect');
    expect(rank(check({ allOf: [{ const: 3 }, { const: 4 }] }))).toBe('quick');
  });

  test('a check that got too little time for a verdict is a suspect, if it got any', () => {
    const starving = check({ patternProperties: { '^(a+)+$': {} } });
    costs.starved(starving, 249, T0);
    expect(rank(starving)).toBe('unknown');
    costs.starved(starving, 250, T0);
    expect(rank(starving)).toBe('suspect');
  });

  test('remembers a bounded number of schemas', () => {
    const few = new SchemaCosts(1_000);
    for (let n = 0; n < 2_000; n += 1) few.broke(pattern(`${n}`), T0);
    expect(few.forecast(pattern('0'), T0)).toMatchObject({ rank: 'suspect' });
    expect(few.forecast(pattern('1999'), T0)).toBe('refused');
  });
});
