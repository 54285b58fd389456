import type { StopRecord } from '@tps/contracts';
import { acknowledged, called, type Cause, escalated, type Moment, pulled, resumed, untouched } from './call';

const T0 = Date.parse('2026-01-25T12:00:00.000Z');
const at = (ms: number): string => new Date(T0 + ms).toISOString();
const moment = (ms: number, light: Moment['light'] = 'GREEN'): Moment => ({ at: new Date(T0 + ms), light });
const cause = (given: Partial<Cause> = {}): Cause => ({
  ...{ id: 'c1', rule: 'cord', reason: 'noise', by: 'alice', mode: 'call', respondMs: 1_000 },
  ...given,
});
const pull = (ms: number, given: Partial<Cause> = {}, record = untouched('demo')): StopRecord =>
  called(record, cause(given), moment(ms));
const told = ({ unlogged }: StopRecord): unknown[] =>
  unlogged.map(({ event, colour, by }) => [event, colour, by]);

test('a call waits for an owner and stops nothing', () => {
  const record = pull(0);
  expect(record.call).toMatchObject({ mode: 'call', respond_by: at(1_000), opened_at: at(0), by: 'alice' });
  expect(record.stops).toEqual([]);
  expect(told(record)).toEqual([['pulled', 'YELLOW', 'alice']]);
  expect(escalated(record, moment(999))).toBeNull();
});

test('nobody acknowledged in time: it has been a stop since then, however late that is written', () => {
  const record = escalated(pull(0), moment(5_000, 'YELLOW'))!;
  expect(record.call).toMatchObject({ mode: 'stop', escalated_at: at(1_000) });
  expect(record.stops).toEqual([[at(1_000)]]);
  expect(told(record).at(-1)).toEqual(['escalated', 'RED', 'andon']);
  expect(escalated(record, moment(6_000))).toBeNull();
});

test('who acknowledges in time prevents the stop, who comes late does not; a second owner takes over', () => {
  const owned = acknowledged(pull(0), { id: 'c1', owner: 'bob' }, moment(500, 'YELLOW'))!;
  expect(owned.call).toMatchObject({ owner: 'bob', acknowledged_at: at(500) });
  expect(escalated(owned, moment(5_000))).toBeNull();
  const late = acknowledged(pull(0), { id: 'c1', owner: 'bob' }, moment(1_500, 'YELLOW'))!;
  expect(late.call).toMatchObject({ owner: 'bob', mode: 'stop' });
  expect(told(late).map((event) => (event as string[])[0])).toEqual(['pulled', 'escalated', 'acknowledged']);
  const taken = acknowledged(owned, { id: 'c1', owner: 'carol' }, moment(700))!;
  expect(taken.call).toMatchObject({ owner: 'carol', acknowledged_at: at(500) });
  expect(acknowledged(owned, { id: 'c2', owner: 'bob' }, moment(700))).toBeNull();
});

test('a stop stops now; a second pull joins the call that is open', () => {
  const record = pull(0, { mode: 'stop' });
  expect(record.stops).toEqual([[at(0)]]);
  expect(record.call).not.toHaveProperty('respond_by');
  const stopped = pull(300, { id: 'c2', mode: 'stop', intake: 'hold', by: 'bob' }, pull(0));
  expect(stopped.call).toMatchObject({ id: 'c1', mode: 'stop', intake: 'hold' });
  expect(stopped.stops).toEqual([[at(300)]]);
  const joined = pull(400, { id: 'c3' }, stopped);
  expect(joined.call).toMatchObject({ id: 'c1', mode: 'stop', intake: 'hold' });
  expect(joined.stops).toEqual([[at(300)]]);
});

test('a pull that names a call resumed meanwhile opens another one', () => {
  const act = { id: 'c1', owner: 'bob', countermeasure: 'oiled it' };
  const over = resumed(pull(0), act, moment(500))!;
  expect(pulled(over, cause(), 'spare', moment(600)).call).toMatchObject({ id: 'spare' });
  expect(pulled(pull(0), cause(), 'spare', moment(600)).call).toMatchObject({ id: 'c1' });
});

test('resuming ends the stop, says what was done, and how long it took', () => {
  const owned = acknowledged(pull(0, { mode: 'stop' }), { id: 'c1', owner: 'bob' }, moment(2_000, 'RED'))!;
  const act = { id: 'c1', owner: 'bob', countermeasure: 'oiled it' };
  const record = resumed(owned, act, moment(9_000, 'RED'))!;
  expect(record.call).toBeUndefined();
  expect(record.stops).toEqual([[at(0), at(9_000)]]);
  expect(record.resolved).toMatchObject([{ id: 'c1', owner: 'bob', countermeasure: 'oiled it' }]);
  const last = { event: 'resumed', countermeasure: 'oiled it', acknowledge_ms: 2_000, restore_ms: 9_000 };
  expect(record.unlogged.at(-1)).toMatchObject(last);
  expect(resumed(record, act, moment(9_001))).toBeNull();
});

test('the same fingerprint again is a recurrence; another one is not', () => {
  const act = { id: 'c1', owner: 'bob', countermeasure: 'oiled it' };
  const once = resumed(pull(0, { fingerprint: 'f' }), act, moment(500))!;
  expect(pull(900, { id: 'c2', fingerprint: 'f' }, once).call).toMatchObject({
    recurrence_of: 'c1',
    recurrences: 1,
  });
  expect(pull(900, { id: 'c2', fingerprint: 'g' }, once).call).toMatchObject({ recurrences: 0 });
});
