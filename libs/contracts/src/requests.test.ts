import { REQUESTS, type RequestName, parseBoard, parseReply, parseRequest, ServiceError } from './requests';
import { MessageError } from './parse';

const message = (value: unknown) => {
  const data = value === undefined ? new Uint8Array() : Buffer.from(JSON.stringify(value));
  return { data, json: (): unknown => JSON.parse(Buffer.from(data).toString()) };
};
const faultOf = (name: RequestName, value: unknown): string => {
  try {
    parseRequest(name, message(value));
    return '';
  } catch (error) {
    expect(error).toBeInstanceOf(MessageError);
    return (error as Error).message;
  }
};

const cord = { signal_type: 'demo', mode: 'call', reason: 'noise', by: 'alice' };
const ack = { id: 'c', owner: 'bob' };
const resume = { ...ack, countermeasure: 'oiled it' };
const redrive = { id: 'r', filter: {}, probe: [1, 5], max_per_s: 50 };

test.each<[name: RequestName, request: object, allowed: [number, number] | [string, string], field: string]>([
  ['pull', cord, [1, 86_400_000], 'respond_within_ms'],
  ['acknowledge', ack, [1_000, 604_800_000], 'eta_ms'],
  ['history', {}, [1, 1_000], 'limit'],
  ['cards', { signal_type: 'demo' }, [1, 10_000], 'cards'],
  ['redriveStart', redrive, [0.1, 1_000], 'max_per_s'],
])('%s takes %j with %j as bounds of %s, and nothing beyond', (name, request, [least, most], field) => {
  for (const value of [least, most]) expect(faultOf(name, { ...request, [field]: value })).toBe('');
  for (const value of [Number(least) - 1, Number(most) + 1, 'many']) {
    expect(faultOf(name, { ...request, [field]: value })).toContain(`request ${name}: /${field} is a `);
  }
});

test('a rate is above 0 and at most 10,000 per second, or null', () => {
  const rate = (max_per_s: unknown): string => faultOf('rate', { signal_type: 'demo', max_per_s });
  for (const value of [0.001, 10_000, null]) expect(rate(value)).toBe('');
  for (const value of [0, -1, 10_001, '1']) expect(rate(value)).toContain('/max_per_s');
});

test.each<[what: string, name: RequestName, value: unknown, fault: string]>([
  ['an unknown mode', 'pull', { ...cord, mode: 'halt' }, '/mode is a string: expected one of call, stop'],
  ['no reason', 'pull', { ...cord, reason: undefined }, '/reason is missing'],
  ['a reason of spaces', 'pull', { ...cord, reason: '   ' }, '/reason is a string'],
  ['a reason that is too long', 'pull', { ...cord, reason: 'x'.repeat(501) }, '/reason is a string'],
  ['a name that is too long', 'pull', { ...cord, by: 'x'.repeat(101) }, '/by is a string'],
  ['a trace id that is none', 'pull', { ...cord, trace_id: 'XYZ' }, '/trace_id is a string'],
  ['no owner', 'acknowledge', { id: 'c' }, '/owner is missing'],
  ['no countermeasure', 'resume', ack, '/countermeasure is missing'],
  ['a long countermeasure', 'resume', { ...resume, countermeasure: 'x'.repeat(1_001) }, '/countermeasure is'],
  ['a type that is none', 'cards', { signal_type: 'No Type', cards: 1 }, '/signal_type is a string'],
  ['half a card', 'cards', { signal_type: 'demo', cards: 1.5 }, '/cards is a number'],
  ['a colour that is none', 'history', { colour: 'BLUE' }, '/colour is a string: expected one of GREEN'],
  ['a moment that is none', 'history', { since: 'today' }, '/since is a string'],
  ['a probe of none', 'redriveStart', { ...redrive, probe: [0] }, '/probe/0 is a number'],
  ['too many probes', 'redriveStart', { ...redrive, probe: Array(11).fill(1) }, '/probe is an array'],
  ['a status that is none', 'purge', { filter: { status: 'lost' } }, '/filter/status is a string'],
  ['no ids', 'purge', { filter: { ids: [] } }, '/filter/ids is an array'],
  ['too many ids', 'purge', { filter: { ids: Array(1_001).fill('a') } }, '/filter/ids is an array'],
])('a request with %s is refused by name', (_, name, value, fault) => {
  expect(faultOf(name, value)).toContain(`request ${name}: ${fault}`);
});

test('an empty message is an empty request, as `nats request` sends it', () => {
  expect(parseRequest('history', message(undefined))).toEqual({});
  expect(faultOf('find', undefined)).toContain('request find: /');
});

test('a request that is no JSON says so', () => {
  const data = Buffer.from('{');
  const broken = { data, json: (): unknown => JSON.parse('{') };
  expect(() => parseRequest('history', broken)).toThrow('request history: not JSON');
});

test('a hot request is only checked for what would harm: it is a list of objects', () => {
  const odd = [{ anything: 1 }];
  expect(parseRequest('admit', message(odd))).toEqual(odd);
  expect(faultOf('enqueue', { not: 'a list' })).toContain('request enqueue');
  expect(faultOf('enqueue', [{ v: 99 }])).toContain('version');
});

test('the error of a service is thrown with its own words, whatever the shape of the reply', () => {
  const failed = message({ error: 'the records are not up to date yet' });
  for (const name of Object.keys(REQUESTS) as RequestName[]) {
    expect(() => parseReply(name, failed)).toThrow(new ServiceError('the records are not up to date yet'));
  }
  expect(() => parseBoard('kanban', failed)).toThrow(ServiceError);
});

test.each<[what: string, name: RequestName, reply: unknown]>([
  ['null', 'find', null],
  ['a list', 'cards', []],
  ['another answer', 'cancel', { cancelled: false, reason: 'tired' }],
  ['half an answer', 'requeue', { queued: true }],
])('%s is no reply, and the error names the request', (_, name, reply) => {
  expect(() => parseReply(name, message(reply))).toThrow(`reply to ${name}: `);
});
