import { laneName, parseLane } from './lane';
import { cardsLease, rateKey, rateLease, typeOfRateKey } from './limits';
import { type Line, lineName, parseLine, parseStopKey, stopKey } from './line';
import { namesFor } from './names';
import { REQUESTS } from './requests';
import { SCHEDULE_KEY } from './schedule';
import { runKey, SIGNAL_TYPE_PATTERN } from './signal';

/** Whether NATS delivers a message on this subject to this filter. */
function matches(filter: string, subject: string): boolean {
  const [want, have] = [filter.split('.'), subject.split('.')];
  const rest = want.indexOf('>');
  if (rest >= 0)
    return have.length > rest && want.slice(0, rest).every((token, i) => isToken(token, have[i]));
  return want.length === have.length && want.every((token, i) => isToken(token, have[i]));
}
const isToken = (want: string, have: string | undefined): boolean => want === '*' || want === have;

/** What the streams store: a request on such a subject would be stored, and answered by the stream. */
const STORED = ['tps.kanban.*.*.*', 'tps.andon.*', 'tps.outcomes.>', 'tps.dead.*'];
const TYPES = ['demo', 'a', 'resize_2', 'x_', 'with-dash', 'z'.repeat(48)];

const { subjects } = namesFor();
test.each(Object.keys(REQUESTS) as (keyof typeof REQUESTS)[])('no stream stores the request %s', (name) => {
  expect(STORED.filter((filter) => matches(filter, subjects[name]))).toEqual([]);
});

test('no two requests share a subject, and no service has two endpoints of one name', () => {
  const names = Object.keys(REQUESTS) as (keyof typeof REQUESTS)[];
  expect(new Set(names.map((name) => subjects[name])).size).toBe(names.length);
  expect(new Set(names.map((name) => `${REQUESTS[name].service} ${REQUESTS[name].endpoint}`)).size).toBe(
    names.length,
  );
});

test.each([
  ['work', subjects.work('demo', 3, 'id'), STORED[0]],
  ['an andon event', subjects.andon('demo'), STORED[1]],
  ['an event of a station', subjects.andon(lineName({ kind: 'station', name: 'kanban' })), STORED[1]],
  ['final outcomes', subjects.outcomeBatch, STORED[2]],
  ['an attempt', subjects.outcomeAttempt('id'), STORED[2]],
  ['a dead letter', subjects.dead('demo'), STORED[3]],
])('one stream alone stores %s', (_, subject, filter) => {
  expect(STORED.filter((each) => matches(each, subject))).toEqual([filter]);
});

test('a prefix is put before every name, so that two fleets on one broker share none', () => {
  const all = (prefix: string): string[] => {
    const { streams, buckets, stores, queues, subjects } = namesFor(prefix);
    const made = Object.values(subjects).map((each) =>
      typeof each === 'string' ? each : (each as (...tokens: string[]) => string)('kanban', '1', 'id'),
    );
    return [streams, buckets, stores, queues].flatMap((names) => Object.values<string>(names)).concat(made);
  };
  const plain = all('');
  expect(all('test-')).toEqual(plain.map((name) => `test-${name}`));
  expect(new Set(plain).size).toBe(plain.length);
});

test.each(TYPES)('the type %s survives its lane, its line and its keys', (type) => {
  expect(type).toMatch(new RegExp(SIGNAL_TYPE_PATTERN));
  for (const priority of [1, 2, 3, 4] as const) {
    expect(parseLane(laneName(type, priority))).toEqual({ type, priority });
  }
  expect(parseLine(lineName({ kind: 'type', name: type }))).toEqual({ kind: 'type', name: type });
  expect(typeOfRateKey(rateKey(type))).toBe(type);
});

test.each<[line: Line, name: string, key: string]>([
  [{ kind: 'type', name: 'demo' }, 'demo', 'demo'],
  [{ kind: 'station', name: 'kanban' }, 'station:kanban', 'station/kanban'],
  // A type may be called like a service, or like the first half of a station's name.
  [{ kind: 'type', name: 'kanban' }, 'kanban', 'kanban'],
  [{ kind: 'type', name: 'station' }, 'station', 'station'],
])('the line %j has a name and a key of its own', (line, name, key) => {
  expect([lineName(line), stopKey(line)]).toEqual([name, key]);
  expect([parseLine(name), parseStopKey(key)]).toEqual([line, line]);
});

test('the keys of rates are told from the schedule, which has the same bucket', () => {
  expect(typeOfRateKey(SCHEDULE_KEY)).toBeUndefined();
  expect(typeOfRateKey('schedule.demo')).toBeUndefined();
  // A type called `rate` has a key below the prefix, like any other.
  expect(typeOfRateKey(rateKey('rate'))).toBe('rate');
});

test('cards and rate of one type are two leases', () => {
  expect([cardsLease('demo'), rateLease('demo')]).toEqual(['cards.demo', 'rate.demo']);
});

test('the runs of one signal have different keys', () => {
  expect([0, 1].map((run) => runKey({ id: 'a', run }))).toEqual(['a:0', 'a:1']);
});

test.each(['', 'A', '1a', '_a', 'a.b', 'a b', 'a/b', 'station:a', 'ä', 'z'.repeat(49), 'a\n'])(
  '%j is no name of a type',
  (name) => expect(name).not.toMatch(new RegExp(SIGNAL_TYPE_PATTERN)),
);
