import { request as httpRequest } from 'node:http';
import { jsonPointer } from '@tps/contracts';
import fc from 'fast-check';
import { type GatewayHarness, startGateway } from '../testing/harness';

/** The same requests in every run; another seed finds others. */
const SEED = 20_261_128;
const RUNS = 400;
const ID = '018f4f6e-0000-7000-8000-000000000000';

interface Answer {
  status: number;
  body: { code?: string; message?: string; errors?: { path: string }[] };
}

describe('no input is ignored in part', () => {
  let gateway: GatewayHarness;
  /** The filters that kanban was asked for. */
  const asked: Record<string, unknown>[] = [];

  beforeAll(async () => {
    gateway = await startGateway();
    gateway.fleet.bus.nc.subscribe(gateway.fleet.bus.names.subjects.purge, {
      callback: (_, msg) => {
        asked.push(msg.json<{ filter: Record<string, unknown> }>().filter);
        msg.respond(JSON.stringify({ deleted: 0, remaining: 0 }));
      },
    });
    await gateway.fleet.bus.nc.flush();
  });
  afterAll(() => gateway.stop());

  function send(method: string, path: string, body = ''): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = body ? { 'content-length': Buffer.byteLength(body) } : {};
      httpRequest({ port: gateway.port, method, path, headers }, (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        res.on('end', () => resolve({ status: res.statusCode!, body: JSON.parse(text) as Answer['body'] }));
      })
        .on('error', reject)
        .end(body);
    });
  }

  /** The filter that kanban gets; null when the request is refused. */
  async function selected(query: string): Promise<Record<string, unknown> | null> {
    asked.length = 0;
    const { status, body } = await send('DELETE', `/kanban/dead?${query}`);
    if (status === 200) return asked[0]!;
    if (status !== 400 || !body.message) throw new Error(`${status} ${JSON.stringify(body)}`);
    return null;
  }

  const PARAMETERS: Record<string, { name: string; values: string[] }> = {
    type: { name: 'type', values: ['execute', 'validate'] },
    signal_type: { name: 'type', values: ['execute'] },
    status: { name: 'status', values: ['failed', 'expired'] },
    class: { name: 'class', values: ['defect', 'transient'] },
    error_class: { name: 'class', values: ['defect'] },
    fingerprint: { name: 'fingerprint', values: ['abc', 'a+b', 'a%20b', 'a%2Bb'] },
    since: { name: 'since', values: ['2026-01-31T00:00:00Z', '2026-01-31T00:00:00%2B02:00'] },
    until: {
      name: 'until',
      values: ['2026-02-01T00:00:00Z', '2026-06-30T23:59:60Z', '2026-01-31T00:00:00%2B02'],
    },
    id: { name: 'ids', values: [ID] },
  };
  const parameter = fc
    .constantFrom(...Object.keys(PARAMETERS))
    .chain((key) => fc.constantFrom(...PARAMETERS[key]!.values).map((value) => `${key}=${value}`));
  /** Printable characters, and more often those with a meaning in a URL. */
  const junk = fc.string({
    unit: fc.oneof(
      fc.constantFrom('&', '?', '=', ';', '#', '%', '+', '%00', '%zz', '%ff', 'type', 'status', 'failed'),
      fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    ),
    maxLength: 6,
  });

  test('an accepted filter says everything that its query says', async () => {
    const pieces = fc.array(fc.oneof({ weight: 5, arbitrary: parameter }, { weight: 1, arbitrary: junk }), {
      minLength: 1,
      maxLength: 4,
    });
    const property = fc.asyncProperty(
      pieces,
      fc.constantFrom('&', '&', '&', '?', ';'),
      async (some, between) => {
        const query = some.join(between);
        const filter = await selected(query);
        if (!filter) return;
        const pairs = [...new URLSearchParams(query)];
        const said = pairs.map(([key, value]) => {
          const { name } = PARAMETERS[key]!;
          return [name, name === 'ids' ? [value] : value];
        });
        expect(Object.keys(filter)).toHaveLength(pairs.length);
        expect(filter).toEqual(Object.fromEntries(said));
      },
    );
    await fc.assert(property, { seed: SEED, numRuns: RUNS });
  });

  test('nothing that is appended to a query widens its filter', async () => {
    const base = fc.uniqueArray(parameter, {
      minLength: 2,
      maxLength: 4,
      selector: (pair) => PARAMETERS[pair.split('=')[0]!]!.name,
    });
    const property = fc.asyncProperty(base, junk, async (pairs, suffix) => {
      const before = await selected(pairs.join('&'));
      const after = await selected(`${pairs.join('&')}${suffix}`);
      if (!before || !after) return;
      // The suffix belongs to the last value, or adds a part to the filter.
      const last = PARAMETERS[pairs.at(-1)!.split('=')[0]!]!.name;
      expect(Object.keys(after)).toEqual(expect.arrayContaining(Object.keys(before)));
      for (const [name, value] of Object.entries(before)) {
        if (name !== last || suffix.startsWith('&')) expect(after[name]).toEqual(value);
      }
    });
    await fc.assert(property, { seed: SEED, numRuns: RUNS });
  });

  test('a body is delivered as it was sent, or refused with the place of the fault', async () => {
    const property = fc.asyncProperty(member(), space, async (payload, gap) => {
      const text = `{"signal_type":"execute",${gap}"payload"${gap}:{"p":${written(payload, gap)}}}`;
      gateway.fleet.reset();
      const { status, body } = await send('POST', '/signal', text);
      const wrong = lossesIn(payload, ['payload', 'p']);
      if (status === 202) {
        expect(wrong).toEqual([]);
        expect(same(payload, gateway.fleet.signals[0]?.signal.payload.p)).toBe(true);
        return;
      }
      expect({ status, code: body.code }).toEqual({ status: 400, code: 'INVALID_SIGNAL' });
      expect(wrong.length).toBeGreaterThan(0);
      for (const { path } of body.errors!) expect(wrong).toContain(path);
    });
    await fc.assert(property, { seed: SEED, numRuns: RUNS });
  });
});

/** JSON as it is written, because a parsed value does not show what parsing lost. */
type Written =
  | { kind: 'number' | 'string' | 'word'; text: string }
  | { kind: 'list'; items: Written[] }
  | { kind: 'object'; members: [key: string, value: Written][] };

const space = fc.constantFrom('', ' ', '\n\t ');
const digits = (max: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: max });
const number = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(
      fc.constantFrom(
        '0',
        '1',
        '9007199254740991',
        '9007199254740992',
        '9007199254740993',
        '18446744073709551616',
      ),
      digits(25).map((more) => `7${more}`),
    ),
    fc.oneof(
      fc.constant(''),
      digits(20).map((more) => `.${more}5`),
      fc.constantFrom('.0', '.000'),
    ),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant('') },
      fc.constantFrom('e0', 'E2', 'e+15', 'e-3', 'e-400', 'e400'),
    ),
  )
  .map((deps) => ({ kind: 'number' as const, text: deps.join('') }));
const string = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('":', '\\":', 'e-400', '9007199254740993', '"a":1,"a":2'),
  )
  .map((value) => ({ kind: 'string' as const, text: JSON.stringify(value) }));
const word = fc.constantFrom('true', 'false', 'null').map((text) => ({ kind: 'word' as const, text }));
const key = fc
  .constantFrom('a', 'b', '\\u0061', 'c/d', 'e~f', '', '\\":', '9007199254740993')
  .map((text) => `"${text}"`);

function member(): fc.Arbitrary<Written> {
  return fc.letrec<{ value: Written }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, depthSize: 'small', withCrossShrink: true },
      fc.oneof(number, string, word),
      fc.array(tie('value'), { maxLength: 4 }).map((items) => ({ kind: 'list' as const, items })),
      fc
        .array(fc.tuple(key, tie('value')), { maxLength: 4 })
        .map((members) => ({ kind: 'object' as const, members })),
    ),
  })).value;
}

function written(value: Written, gap: string): string {
  if (value.kind === 'list')
    return `[${value.items.map((item) => written(item, gap)).join(`${gap},${gap}`)}]`;
  if (value.kind !== 'object') return value.text;
  const members = value.members.map(([name, item]) => `${gap}${name}${gap}:${gap}${written(item, gap)}`);
  return `{${members.join(',')}${gap}}`;
}

/** Pointers to the deps that a JavaScript value cannot hold. */
function lossesIn(value: Written, path: (string | number)[]): string[] {
  if (value.kind === 'number') return holds(value.text, Number(value.text)) ? [] : [jsonPointer(path)];
  if (value.kind === 'list') return value.items.flatMap((item, i) => lossesIn(item, [...path, i]));
  if (value.kind !== 'object') return [];
  const names = value.members.map(([name]) => JSON.parse(name) as string);
  const twice = names.filter((name, i) => names.indexOf(name) < i);
  const inside = value.members.flatMap(([, item], i) => lossesIn(item, [...path, names[i]!]));
  return [...twice.map((name) => jsonPointer([...path, name])), ...inside];
}

function same(value: Written, delivered: unknown): boolean {
  if (value.kind === 'number') return holds(value.text, delivered as number);
  if (value.kind === 'list') {
    const list = delivered as unknown[];
    return list.length === value.items.length && value.items.every((item, i) => same(item, list[i]));
  }
  if (value.kind !== 'object') return delivered === JSON.parse(value.text);
  const object = delivered as Record<string, unknown>;
  const equal = value.members.every(([name, item]) => same(item, object[JSON.parse(name) as string]));
  return equal && Object.keys(object).length === value.members.length;
}

/** Compares fractions of bigints, which round nothing. */
function holds(text: string, value: number): boolean {
  if (!Number.isFinite(value)) return false;
  const sent = fraction(text);
  const got = fraction(String(value));
  const equal = sent.over * got.under === got.over * sent.under;
  if (equal) return !/^-?\d+$/.test(text) || /^-?\d+$/.test(String(value));
  const whole = sent.over % sent.under === 0n;
  return !whole && value !== 0 && value === Number(text);
}

function fraction(text: string): { over: bigint; under: bigint } {
  const [mantissa = '', power = '0'] = text.toLowerCase().split('e');
  const [whole = '', decimals = ''] = mantissa.split('.');
  const exponent = Number(power) - decimals.length;
  const digits = BigInt(whole + decimals);
  if (exponent >= 0) return { over: digits * 10n ** BigInt(exponent), under: 1n };
  return { over: digits, under: 10n ** BigInt(-exponent) };
}
