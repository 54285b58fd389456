import type { StopRecord } from '@tps/contracts';
import {
  acknowledgeCall,
  openCall,
  type CallCause,
  closeCall,
  pullCord,
  resumeCall,
  emptyStopRecord,
} from './call-transitions';
import { type Occasion, pendingEvents, withoutPublished } from './call-events';
import { afterDeadlines } from './deadlines';

const T0 = Date.parse('2026-01-25T12:00:00.000Z');
const at = (ms: number): string => new Date(T0 + ms).toISOString();
const occasion = (ms: number, light: Occasion['light'] = 'GREEN'): Occasion => ({
  at: new Date(T0 + ms),
  light,
});
const cause = (given: Partial<CallCause> = {}): CallCause => ({
  ...{ id: 'c1', rule: 'cord', reason: 'noise', by: 'alice', mode: 'call', respondMs: 1_000 },
  ...given,
});
const pull = (ms: number, given: Partial<CallCause> = {}, record = emptyStopRecord('demo')): StopRecord =>
  openCall(record, cause(given), occasion(ms));
const told = (record: StopRecord): unknown[] =>
  pendingEvents(record).map(({ event, colour, by }) => [event, colour, by]);
const oiled = { id: 'c1', owner: 'bob', countermeasure: 'oiled it' };

test('a call waits for an owner and stops nothing', () => {
  const record = pull(0);
  expect(record.call).toMatchObject({ mode: 'call', respond_by: at(1_000), opened_at: at(0), by: 'alice' });
  expect(record.stops).toEqual([]);
  expect(told(record)).toEqual([['pulled', 'YELLOW', 'alice']]);
  expect(afterDeadlines(record, occasion(999))).toBeNull();
});

test('an acknowledgement in time prevents the stop, a late one does not; a second owner takes over', () => {
  const owned = acknowledgeCall(pull(0), { id: 'c1', owner: 'bob' }, occasion(500, 'YELLOW'))!;
  expect(owned.call).toMatchObject({ owner: 'bob', acknowledged_at: at(500) });
  expect(afterDeadlines(owned, occasion(5_000))).toBeNull();
  const late = acknowledgeCall(pull(0), { id: 'c1', owner: 'bob' }, occasion(1_500, 'YELLOW'))!;
  expect(late.call).toMatchObject({ owner: 'bob', mode: 'stop' });
  expect(told(late).map((event) => (event as string[])[0])).toEqual(['pulled', 'escalated', 'acknowledged']);
  const taken = acknowledgeCall(owned, { id: 'c1', owner: 'carol' }, occasion(700))!;
  expect(taken.call).toMatchObject({ owner: 'carol', acknowledged_at: at(500) });
  expect(acknowledgeCall(owned, { id: 'c2', owner: 'bob' }, occasion(700))).toBeNull();
});

test('a stop stops now; a second pull joins the open call, and the first reason stays', () => {
  const record = pull(0, { mode: 'stop' });
  expect(record.stops).toEqual([[at(0)]]);
  expect(record.call).not.toHaveProperty('respond_by');
  const second = { id: 'c2', mode: 'stop', intake: 'hold', by: 'bob', reason: 'smoke' } as const;
  const stopped = pull(300, second, pull(0));
  expect(stopped.call).toMatchObject({
    id: 'c1',
    mode: 'stop',
    intake: 'hold',
    by: 'alice',
    reason: 'noise',
  });
  expect(stopped.call).not.toHaveProperty('respond_by');
  expect(stopped.call?.pulls).toEqual([
    { by: 'alice', reason: 'noise', mode: 'call', at: at(0) },
    { by: 'bob', reason: 'smoke', mode: 'stop', at: at(300) },
  ]);
  expect(stopped.stops).toEqual([[at(300)]]);
  expect(pendingEvents(stopped).at(-1)).toMatchObject({
    event: 'pulled',
    by: 'bob',
    reason: 'smoke',
    id: 'c1',
  });
  const joined = pull(400, { id: 'c3' }, stopped);
  expect(joined.call).toMatchObject({ id: 'c1', mode: 'stop', intake: 'hold' });
  expect(joined.stops).toEqual([[at(300)]]);
});

test('a call keeps the first and the latest of many pulls', () => {
  const reasons = Array.from({ length: 50 }, (_, i) => `${i}`);
  const record = reasons.reduce((known, reason, i) => pull(i, { reason }, known), emptyStopRecord('demo'));
  const kept = record.call!.pulls!.map(({ reason }) => reason);
  expect(kept).toHaveLength(20);
  expect([kept[0], kept[1], kept.at(-1)]).toEqual(['0', '31', '49']);
});

test('a pull that names a call resumed meanwhile opens another one', () => {
  const over = resumeCall(pull(0), oiled, occasion(500))!;
  expect(pullCord(over, cause(), 'spare', occasion(600)).call).toMatchObject({ id: 'spare' });
  expect(pullCord(pull(0), cause(), 'spare', occasion(600)).call).toMatchObject({ id: 'c1' });
});

test('resuming ends the stop, says what was done, and how long it took', () => {
  const owned = acknowledgeCall(pull(0, { mode: 'stop' }), { id: 'c1', owner: 'bob' }, occasion(500, 'RED'))!;
  const record = resumeCall(owned, oiled, occasion(9_000, 'RED'))!;
  expect(record.call).toBeUndefined();
  expect(record.stops).toEqual([[at(0), at(9_000)]]);
  expect(record.resolved).toMatchObject([{ id: 'c1', owner: 'bob', countermeasure: 'oiled it' }]);
  const last = { event: 'resumed', countermeasure: 'oiled it', acknowledge_ms: 500, restore_ms: 9_000 };
  expect(pendingEvents(record).at(-1)).toMatchObject(last);
  expect(resumeCall(record, oiled, occasion(9_001))).toBeNull();
});

test('a call that was resumed and never acknowledged has no time of acknowledgement', () => {
  const record = resumeCall(pull(0), oiled, { ...occasion(500), forced: true })!;
  expect(pendingEvents(record).at(-1)).toMatchObject({ event: 'resumed', restore_ms: 500, forced: true });
  expect(pendingEvents(record).at(-1)).not.toHaveProperty('acknowledge_ms');
});

describe('an automatic call', () => {
  const automatic = { rule: 'p99', by: 'andon', automatic: true } as const;

  test('never stops its line, and closes when the line is well and nobody has acknowledged it', () => {
    const record = pull(0, automatic);
    expect(record.call).not.toHaveProperty('respond_by');
    const over = closeCall(record, occasion(500, 'GREEN'))!;
    expect(over.call).toBeUndefined();
    expect(over.stops).toEqual([]);
    expect(told(over).at(-1)).toEqual(['closed', 'GREEN', 'andon']);
    expect(over.resolved).toEqual([]);
  });

  test('stays open while its owner works, until the owner resumes the line', () => {
    const owned = acknowledgeCall(pull(0, automatic), { id: 'c1', owner: 'bob' }, occasion(500))!;
    expect(closeCall(owned, occasion(600))).toBeNull();
  });

  test('becomes a call by people when somebody pulls the cord, with a new time to respond', () => {
    const record = pull(3_000, { by: 'alice', reason: 'smoke' }, pull(0, automatic));
    expect(record.call).toMatchObject({
      id: 'c1',
      by: 'andon',
      rule: 'p99',
      respond_by: at(4_000),
      level: 0,
    });
    expect(record.call).not.toHaveProperty('automatic');
    expect(closeCall(record, occasion(3_100))).toBeNull();
  });
});

test('a record has its events until the history has them; later kinds stand apart', () => {
  const record = closeCall(pull(0, { automatic: true }), occasion(500))!;
  expect(record.unlogged.map(({ event }) => event)).toEqual(['pulled']);
  expect(record.unlogged_more?.map(({ event }) => event)).toEqual(['closed']);
  const after = withoutPublished(record, pendingEvents(record))!;
  expect(pendingEvents(after)).toEqual([]);
  expect(withoutPublished(after, pendingEvents(record))).toBeNull();
});
