import type { Signal } from './signal';
import { decodeSignal, encodeSignal } from './signal-codec';
import { WIRE_VERSION } from './version';

const SIGNAL: Signal = {
  v: WIRE_VERSION,
  id: 'e3b0c442-98fc-4c14-9afb-f4c8996fb924',
  run: 2,
  signal_type: 'demo_x',
  priority: 3,
  payload: { a: 1 },
  timeout_ms: 30_000,
  created_at: '2026-01-01T00:00:00.000Z',
};
const SUBJECT = `tps.kanban.demo_x.3.${SIGNAL.id}`;

const message = (text: string, subject = SUBJECT) => ({ subject, json: (): unknown => JSON.parse(text) });

test('a signal survives encoding and decoding', () => {
  expect(decodeSignal(message(encodeSignal(SIGNAL)))).toEqual(SIGNAL);
});

test('a signal of the previous version is encoded with the current one', () => {
  const previous = { ...SIGNAL, v: WIRE_VERSION - 1 };
  expect(decodeSignal(message(JSON.stringify(previous)))).toEqual(previous);
  expect(decodeSignal(message(encodeSignal(previous)))).toEqual(SIGNAL);
});

test.each([
  ['no JSON', message('{')],
  ['a missing field', message(JSON.stringify({ ...SIGNAL, payload: undefined }))],
  ['a later version', message(JSON.stringify({ ...SIGNAL, v: WIRE_VERSION + 1 }))],
  ['the subject of another id', message(encodeSignal(SIGNAL), 'tps.kanban.demo_x.3.other')],
  ['the subject of another priority', message(encodeSignal(SIGNAL), SUBJECT.replace('.3.', '.2.'))],
  ['the subject of another type', message(encodeSignal(SIGNAL), SUBJECT.replace('demo_x', 'x'))],
])('a message with %s is no signal', (_, wrong) => {
  expect(decodeSignal(wrong)).toBeNull();
});
