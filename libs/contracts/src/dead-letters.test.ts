import {
  DEAD_LETTER_HEADERS,
  deadLetterHeaders,
  parseDeadMessage,
  unreadableDeadLetter,
} from './dead-letters';
import { API_ERRORS, type ApiErrorCode } from './errors';
import { isFinal, type Outcome, readReplies } from './outcome';
import { outcomeBase } from './outcome-base';
import { MessageError } from './parse';
import { isKnownType, retirementText } from './retirement';
import type { Signal } from './signal';
import type { TypeRecord } from './signal-type';
import { WIRE_VERSION } from './version';

const failed = { signal_id: 'a', run: 2, status: 'failed' } as Outcome;
const message = (value: unknown) => ({ json: () => value });

test('the headers of a dead letter name its signal, run and failure, so that a list need not read it', () => {
  const outcome: Outcome = { ...failed, error_class: 'defect', fingerprint: 'f1' };
  expect(new Map(deadLetterHeaders(outcome))).toEqual(
    new Map([
      ['Nats-Msg-Id', 'dead:a:2'],
      [DEAD_LETTER_HEADERS.id, 'a'],
      [DEAD_LETTER_HEADERS.run, '2'],
      [DEAD_LETTER_HEADERS.status, 'failed'],
      [DEAD_LETTER_HEADERS.errorClass, 'defect'],
      [DEAD_LETTER_HEADERS.fingerprint, 'f1'],
    ]),
  );
});

test('an expired signal has neither class nor fingerprint in its headers', () => {
  const names = deadLetterHeaders({ ...failed, status: 'expired' }).map(([name]) => name);
  expect(names).not.toContain(DEAD_LETTER_HEADERS.errorClass);
  expect(names).not.toContain(DEAD_LETTER_HEADERS.fingerprint);
});

test('two runs of a signal are two dead letters, one run written twice is one', () => {
  const id = (run: number): string => new Map(deadLetterHeaders({ ...failed, run })).get('Nats-Msg-Id')!;
  expect(id(1)).not.toBe(id(2));
  expect(id(1)).toBe(id(1));
});

test.each([
  ['text', Buffer.from('no signal')],
  ['bytes that are no text', Buffer.of(0, 255, 254, 10)],
  ['nothing', Buffer.alloc(0)],
])('an unreadable message of %s comes back byte by byte', (_, data) => {
  const { letter, headers } = unreadableDeadLetter('tps.kanban.demo.3.the-id', 7, data);
  expect(parseDeadMessage(message(letter), 'dead')).toEqual(letter);
  expect(Buffer.from(letter.data, 'base64')).toEqual(data);
  expect(new Map(headers)).toEqual(
    new Map([
      ['Nats-Msg-Id', 'dead:tps.kanban.demo.3.the-id:7'],
      [DEAD_LETTER_HEADERS.id, 'the-id'],
      [DEAD_LETTER_HEADERS.status, 'invalid'],
    ]),
  );
});

test('a message of DEAD that is neither form is refused with its name', () => {
  expect(() => parseDeadMessage(message({ v: WIRE_VERSION, invalid: false }), 'dead 7')).toThrow(/^dead 7: /);
});

test('only five statuses end a run', () => {
  expect((['retrying', 'returned'] as const).filter(isFinal)).toEqual([]);
  expect((['succeeded', 'failed', 'rejected', 'expired', 'cancelled'] as const).every(isFinal)).toBe(true);
});

test('an outcome begins with the fields of its signal, and with the hash of a request only if there is one', () => {
  const signal = { id: 'a', run: 1, signal_type: 'demo', priority: 2, v: 0 } as unknown as Signal;
  const begun = outcomeBase(signal, 'w1', '2026-01-01T00:00:00.000Z');
  expect(begun).toEqual({
    ...{ v: WIRE_VERSION, signal_id: 'a', run: 1, signal_type: 'demo', priority: 2, worker_id: 'w1' },
    enqueued_at: '2026-01-01T00:00:00.000Z',
  });
  expect('request_hash' in begun).toBe(false);
  expect(outcomeBase({ ...signal, request_hash: 'h' }, 'w1', '').request_hash).toBe('h');
});

test('replies to a caller who waits are a list; anything else is refused', () => {
  expect(readReplies(message([failed]))).toEqual([failed]);
  for (const bad of [{}, null, 'x', [1], [{ v: 99 }]]) {
    expect(() => readReplies(message(bad))).toThrow(MessageError);
  }
});

const retired = (phase: 'checking' | 'retired', reason?: string): NonNullable<TypeRecord['retired']> =>
  ({ id: 'r', by: 'bob', at: '2026-01-25', phase, ...(reason ? { reason } : {}) }) as never;

test.each([
  [undefined, true],
  [retired('checking'), true],
  [retired('retired'), false],
])('a type with the retirement %j is known: %s', (given, known) => {
  expect(isKnownType({ retired: given } as TypeRecord)).toBe(known);
});

test.each([
  [retired('checking'), 'the signal type "demo" is being retired by bob'],
  [retired('retired'), 'the signal type "demo" was retired by bob at 2026-01-25'],
  [retired('retired', 'replaced'), 'the signal type "demo" was retired by bob at 2026-01-25: replaced'],
])('%j reads as a sentence', (given, text) => {
  expect(retirementText('demo', given)).toBe(text);
});

test('only answers that a repeat can change are retryable', () => {
  const retryable = (Object.keys(API_ERRORS) as ApiErrorCode[]).filter((code) => API_ERRORS[code].retryable);
  for (const code of retryable) expect([429, 500, 503]).toContain(API_ERRORS[code].status);
  const others = Object.values<{ status: number; retryable: boolean }>(API_ERRORS).filter(
    (error) => !error.retryable,
  );
  expect(others.filter(({ status }) => status === 429 || status >= 500)).toEqual([]);
});
