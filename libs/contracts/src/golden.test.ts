import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAndonEvent } from './andon';
import { parseHeartbeat } from './heartbeat';
import { BOARDS } from './boards/index';
import { type BucketName, parseRecord } from './buckets';
import { parseDeadMessage } from './dead-letters';
import { type BoardService, SERVICES } from './fleet';
import { namesFor } from './names';
import { attemptIn, checkOutcome } from './outcome';
import { check, type Message, MessageError } from './parse';
import { parseBoard, parseReply, parseRequest, type RequestName, REQUESTS } from './requests';
import { parseArrivals } from './schedule';
import { decodeSignal } from './signal-codec';
import type { Signal } from './signal';
import { WIRE_VERSION } from './version';

/*
 * Messages as running fleets wrote them: `current` by this version, `previous` by the one before. A change
 * here has to read both. A new kind of message needs an example in `golden/current`; an example is never edited to fit.
 */

interface Golden {
  requests: Record<RequestName, { request: object; replies: unknown[] }>;
  buckets: Record<BucketName, Record<string, object>>;
  streams: { kanban: object[]; outcomes: object[][]; dead: object[]; andon: object[] };
  published: { beats: Record<string, object>; arrivals: object };
  boards: Record<BoardService, object>;
}

const read = <K extends keyof Golden>(version: string, name: K): Golden[K] =>
  JSON.parse(readFileSync(join(__dirname, 'golden', version, `${name}.json`), 'utf8')) as Golden[K];
type Readable = Message & { data: Uint8Array };
const message = (value: unknown): Readable => ({
  json: () => value,
  data: Buffer.from(JSON.stringify(value)),
});

/** Reads a signal from a message on the signal's own subject. */
function readSignal(msg: Readable): Signal {
  const { signal_type, priority, id } = msg.json() as Signal;
  const signal = decodeSignal({ ...msg, subject: `tps.kanban.${signal_type}.${priority}.${id}` });
  if (!signal) throw new MessageError('no signal');
  return signal;
}

/** The same message with another version wherever it has one. */
function withVersion(value: unknown, v: number): unknown {
  if (Array.isArray(value)) return value.map((item) => withVersion(item, v));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, key === 'v' ? v : withVersion(item, v)]);
  return Object.fromEntries(entries) as object;
}

const bucketNames = Object.keys(namesFor().buckets) as BucketName[];
const boardNames = Object.keys(BOARDS) as BoardService[];

describe.each(['current', 'previous'])('messages of the %s version', (version) => {
  const requests = read(version, 'requests');
  const all = Object.keys(REQUESTS) as RequestName[];
  const requestNames = version === 'current' ? all : all.filter((name) => name in requests);
  const buckets = read(version, 'buckets');
  const streams = read(version, 'streams');
  const { beats, arrivals } = read(version, 'published');
  const boards = read(version, 'boards');

  test.each(requestNames)('the request %s and its replies', (name) => {
    const { request, replies } = requests[name];
    expect(parseRequest(name, message(request))).toEqual(request);
    expect(check(REQUESTS[name].request, request, name)).toEqual(request);
    expect(replies).not.toEqual([]);
    for (const reply of replies) expect(parseReply(name, message(reply))).toEqual(reply);
  });

  test.each(bucketNames)('records of the bucket %s', (name) => {
    const records = Object.entries(buckets[name]);
    expect(records).not.toEqual([]);
    for (const [key, record] of records) expect(parseRecord(name, key, message(record))).toEqual(record);
  });

  test('the streams', () => {
    for (const signal of streams.kanban) expect(readSignal(message(signal))).toEqual(signal);
    for (const [outcome] of streams.outcomes) expect(checkOutcome(outcome, 'outcome')).toEqual(outcome);
    for (const letter of streams.dead) expect(parseDeadMessage(message(letter), 'letter')).toEqual(letter);
    for (const event of streams.andon) {
      expect(parseAndonEvent(message(event), 'event')).toEqual({ event: 'changed', ...event });
    }
    const statuses = streams.outcomes.map(([outcome]) => (outcome as { status: string }).status);
    expect(statuses).toEqual(expect.arrayContaining(['succeeded', 'failed', 'retrying', 'cancelled']));
    expect(attemptIn(message(streams.outcomes[0]))).toEqual(streams.outcomes[0]?.[0]);
  });

  test('the messages that services publish', () => {
    expect(Object.keys(beats)).toEqual(expect.arrayContaining(SERVICES));
    for (const beat of Object.values(beats)) expect(parseHeartbeat(message(beat))).toMatchObject(beat);
    expect(parseArrivals(message(arrivals))).toEqual(arrivals);
  });

  test.each(boardNames)('the board of %s', (name) => {
    expect(parseBoard(name, message(boards[name]))).toEqual(boards[name]);
  });

  test('each of them also with the version before, and none of them with a later one', () => {
    const readers = [
      ...requestNames.map(
        (name) => [requests[name].request, (m: Readable) => parseRequest(name, m)] as const,
      ),
      ...bucketNames.flatMap((name) =>
        Object.entries(buckets[name]).map(
          ([key, record]) => [record, (m: Readable) => parseRecord(name, key, m)] as const,
        ),
      ),
      ...streams.kanban.map((signal) => [signal, readSignal] as const),
      ...streams.dead.map((letter) => [letter, (m: Readable) => parseDeadMessage(m, 'letter')] as const),
      ...streams.andon.map((event) => [event, (m: Readable) => parseAndonEvent(m, 'event')] as const),
      ...Object.values(beats).map((beat) => [beat, parseHeartbeat] as const),
      ...boardNames.map((name) => [boards[name], (m: Readable) => parseBoard(name, m)] as const),
    ].filter(([value]) => JSON.stringify(value).includes('"v":'));
    expect(readers.length).toBeGreaterThan(50);
    for (const [value, parse] of readers) {
      expect(() => parse(message(withVersion(value, WIRE_VERSION - 1)))).not.toThrow();
      expect(() => parse(message(withVersion(value, WIRE_VERSION + 1)))).toThrow(MessageError);
    }
  });
});
