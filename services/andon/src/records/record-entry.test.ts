import type { FinalStatus } from '@tps/contracts';
import {
  decodeEntry,
  decodePositions,
  encodeEntry,
  encodePositions,
  type Entry,
  idKey,
  placeAt,
  placeKey,
  placeNumber,
} from './record-entry';

const UUID = 'e3b0c442-98fc-4c14-9afb-f4c8996fb924';
const entry = (given: Partial<Entry> = {}): Entry => ({
  ...{ seq: 7, index: 3, id: UUID, run: 2, type: 'demo', status: 'succeeded', errorClass: undefined },
  timeMs: Date.parse('2026-01-25T12:00:00.123Z'),
  ...given,
});

test.each<[what: string, given: Partial<Entry>]>([
  ['an id that is a UUID', {}],
  ['an id that is none', { id: 'order-1041' }],
  ['a UUID in capitals, which must come back so', { id: UUID.toUpperCase() }],
  ['an id beyond ASCII', { id: 'Auftrag-ä-€' }],
  ['the first run and the first place', { run: 0, seq: 1, index: 0 }],
  ['the last sequence that six bytes hold', { seq: 2 ** 48 - 1, index: 16_383 }],
  ['a failure with its class', { status: 'failed', errorClass: 'defect' }],
  ['the longest type', { type: 'z'.repeat(48) }],
])('an entry with %s is read back', (_, given) => {
  const written = entry(given);
  expect(decodeEntry(placeKey(written), encodeEntry(written, idKey(written.id)))).toEqual(written);
});

test.each<FinalStatus>(['succeeded', 'failed', 'rejected', 'expired', 'cancelled'])(
  '%s is read back',
  (status) => {
    const written = entry({ status });
    expect(decodeEntry(placeKey(written), encodeEntry(written, idKey(UUID))).status).toBe(status);
  },
);

test('a run beyond two bytes is kept at the largest one, and a time before 1970 at 0', () => {
  const written = entry({ run: 100_000, timeMs: -1 });
  const read = decodeEntry(placeKey(written), encodeEntry(written, idKey(UUID)));
  expect(read).toMatchObject({ run: 65_535, timeMs: 0 });
});

test('keys of places sort as the log does', () => {
  const places = [
    { seq: 1, index: 0 },
    { seq: 1, index: 255 },
    { seq: 1, index: 256 },
    { seq: 255, index: 1 },
    { seq: 256, index: 0 },
    { seq: 2 ** 40, index: 0 },
  ];
  const keys = places.map(placeKey);
  expect([...keys].reverse().sort((a, b) => Buffer.compare(a, b))).toEqual(keys);
  const numbers = places.map(placeNumber);
  expect([...numbers].sort((a, b) => a - b)).toEqual(numbers);
  expect(numbers.map(placeAt)).toEqual(places);
});

test('a UUID takes 17 bytes, and no other id has its key', () => {
  expect(idKey(UUID)).toHaveLength(17);
  const ids = [UUID, UUID.toUpperCase(), UUID.replaceAll('-', ''), 'a', ''];
  expect(new Set(ids.map((id) => idKey(id).toString('hex'))).size).toBe(ids.length);
});

test('positions of one id are read back in order, each with its run and whether it is final', () => {
  const positions = [
    { seq: 1, index: 0, run: 0, final: false },
    { seq: 2 ** 48 - 1, index: 16_383, run: 65_535, final: true },
    { seq: 9, index: 1, run: 1, final: true },
  ];
  expect(decodePositions(encodePositions(positions))).toEqual(positions);
  expect(decodePositions(encodePositions([]))).toEqual([]);
});
