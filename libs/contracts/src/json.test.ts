import { parseJson } from './json';

const faultsOf = (text: string): [path: string, rule: string][] =>
  parseJson(text).faults.map(({ path, rule }) => [path, rule]);
const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

describe('a number', () => {
  test.each([
    // Doubles hold all whole numbers up to the first of these, and some beyond it.
    ['9007199254740991'],
    ['-9007199254740991'],
    ['9007199254740992'],
    ['9007199254740994'],
    ['100000000000000000000'],
    // Other spellings of whole numbers.
    ['1e20'],
    ['1E+20'],
    ['12.5e1'],
    ['9007199254740992.0'],
    ['9.007199254740992e15'],
    ['1e23'],
    ['1.7976931348623157e308'],
    ['0'],
    ['-0'],
    ['0.0'],
    ['0e-999'],
    // Fractions are rounded.
    ['0.1'],
    ['0.1234567890123456789'],
    ['0.10000000000000001'],
    ['9007199254740993.5'],
    ['5e-324'],
    ['1e-300'],
  ])('%s is taken', (number) => {
    expect(parseJson(`{"a":{"n":${number}}}`)).toEqual({ value: { a: { n: Number(number) } }, faults: [] });
  });

  test.each([
    ['9007199254740993', '9007199254740992'],
    ['-9007199254740993', '-9007199254740992'],
    ['3889108265204450030', '3889108265204450000'],
    // A double holds 2^64, but JSON.stringify writes another number.
    ['18446744073709551616', '18446744073709552000'],
    ['18446744073709551616.0', '18446744073709552000'],
    ['1000000000000000000000', '1e+21'],
    ['9007199254740993.0', '9007199254740992'],
    ['9007199254740993e0', '9007199254740992'],
    ['90071992547409.93e2', '9007199254740992'],
    ['9.007199254740993E+15', '9007199254740992'],
    ['1e-400', '0'],
    ['-1E-400', '0'],
    [`0.${'0'.repeat(330)}1`, '0'],
  ])('%s is refused, as it would become %s', (number, changed) => {
    const { faults } = parseJson(`{"a":[0, {"id": ${number}}]}`);
    expect(faults).toEqual([expect.objectContaining({ path: '/a/1/id', rule: 'exact' })]);
    expect(faults[0]?.message).toContain(`would arrive as ${changed}:`);
  });

  test.each([['1e400'], ['-1e400'], ['9'.repeat(400)]])('%s is out of range', (number) => {
    expect(faultsOf(`{"a":${number}}`)).toEqual([['/a', 'range']]);
  });

  test('in a string is text, and messages cut long numbers', () => {
    expect(faultsOf('{"a":"9007199254740993","b":9007199254740992,"c":"\\"9007199254740993"}')).toEqual([]);
    const [fault] = parseJson(`{"a":${'123'.repeat(90)}}`).faults;
    expect(fault?.message.length).toBeLessThan(120);
  });
});

describe('a key', () => {
  test.each([
    ['{"a":1,"a":1}', ['/a']],
    ['{"a" :1,"a":2}', ['/a']],
    ['{"a"\n\t:1,"b":"\\":","a":2,"a":3}', ['/a']],
    ['{"a":{"b":[{"c":1},{"c":1,"c":2}]}}', ['/a/b/1/c']],
    ['{"a":1,"\\u0061":2}', ['/a']],
    ['{"":1,"":2}', ['/']],
    ['{"a/b~":1,"a/b~":2,"c":3,"c":4}', ['/a~1b~0', '/c']],
    ['{"a":{"x":1},"b":["q\\"uote"],"a":[]}', ['/a']],
    ['{"a":"\\\\","a":"\\\\\\""}', ['/a']],
    ['[{"a":1},{"a":1}]', []],
    ['{"a":"b","b":"a"}', []],
    ['{"a":"\\"a\\":1","b":{"a":[]}}', []],
    ['{"a":"\\\\\\"","b":":\\":"}', []],
  ])('twice in one object is named: %s', (text, paths) => {
    expect(faultsOf(text)).toEqual(paths.map((path) => [path, 'once']));
  });

  test('that poisons prototypes is named', () => {
    expect(faultsOf('{"a":[{"__proto__":{}}],"constructor":1}')).toEqual([
      ['/a/0/__proto__', 'key'],
      ['/constructor', 'key'],
    ]);
  });
});

test('depth and number of keys are bounded, and so is the list of faults', () => {
  expect(faultsOf(nested(21))).toEqual([]);
  expect(faultsOf(nested(22))).toHaveLength(1);
  expect(faultsOf(`[${'['.repeat(100_000)}${']'.repeat(100_000)}]`)).toHaveLength(1);
  const keys = (count: number): string =>
    JSON.stringify({ payload: Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i])) });
  expect(faultsOf(keys(1_000))).toEqual([]);
  expect(faultsOf(keys(1_001))).toEqual([['/payload', 'keys']]);
  expect(faultsOf(`[${'1e999,'.repeat(500)}1]`)).toHaveLength(100);
  expect(faultsOf(`[${'9007199254740993,'.repeat(500)}1]`)).toHaveLength(100);
});

test('invalid JSON is a SyntaxError', () => {
  for (const text of [
    '',
    '{"a":1,}',
    '[1,]',
    '{a:1}',
    "{'a':1}",
    '01',
    '1.',
    '.5',
    '+1',
    'NaN',
    '\ufeff{}',
    '{} x',
  ]) {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  }
});

test('a long number takes no longer than a long text', () => {
  const startedMs = Date.now();
  const zeros = '0'.repeat(250_000);
  expect(faultsOf(`{"a":1${zeros}1,"b":0.${zeros}1e250001}`)).toHaveLength(1);
  expect(faultsOf(`{"a":1.${zeros}1}`)).toEqual([]);
  expect(faultsOf(`{"a":0.${zeros}1e250001,"b":9007199254740992}`)).toEqual([]);
  expect(Date.now() - startedMs).toBeLessThan(2_000);
});
