import type { AndonCall, StopRecord } from '@tps/contracts';
import { sampleCall } from '@tps/testkit';
import { acknowledgeCall, openCall, type CallCause, emptyStopRecord } from './call-transitions';
import { type Occasion, pendingEvents } from './call-events';
import { afterDeadlines } from './deadlines';

const T0 = Date.parse('2026-01-25T12:00:00.000Z');
const at = (ms: number): string => new Date(T0 + ms).toISOString();
const occasion = (ms: number, light: Occasion['light'] = 'RED'): Occasion => ({
  at: new Date(T0 + ms),
  light,
});
const open = (given: Partial<CallCause>): StopRecord => {
  const cause: CallCause = {
    id: 'c',
    rule: 'cord',
    reason: 'noise',
    by: 'alice',
    mode: 'call',
    respondMs: 1_000,
  };
  return openCall(emptyStopRecord('demo'), { ...cause, ...given }, occasion(0, 'GREEN'));
};
const steps = (record: StopRecord): unknown[] =>
  pendingEvents(record)
    .slice(1)
    .map(({ event, at: when, level }) => [event, Date.parse(when) - T0, level]);
/** Looks at the record every so often. */
const watched = (record: StopRecord, everyMs: number, endMs = 10_000): StopRecord => {
  let now = record;
  for (let ms = everyMs; ms <= endMs; ms += everyMs) now = afterDeadlines(now, occasion(ms)) ?? now;
  return now;
};

test.each<[what: string, given: Partial<CallCause>, mode: AndonCall['mode'], stops: unknown[]]>([
  ['a call by a person stops its line', {}, 'stop', [[at(1_000)]]],
  ['a stop stays one', { mode: 'stop' }, 'stop', [[at(0)]]],
  ['an automatic call never stops its line', { automatic: true }, 'call', []],
])(
  'nobody answers: %s, and it escalates after 1, 2 and 4 times the time to respond',
  (_, given, mode, stops) => {
    const ladder = [
      ['escalated', 1_000, 1],
      ['escalated', 2_000, 2],
      ['escalated', 4_000, 3],
    ];
    // Looked at all the time, or once after andon was away for long: the same steps at the same moments.
    for (const everyMs of [100, 10_000]) {
      const record = watched(open(given), everyMs);
      expect(steps(record)).toEqual(ladder);
      expect(record.call).toMatchObject({ mode, level: 3 });
      expect(record.stops).toEqual(stops);
      expect(afterDeadlines(record, occasion(1e9))).toBeNull();
    }
  },
);

test('without a time to respond nothing escalates', () => {
  expect(afterDeadlines(open({ respondMs: 0 }), occasion(1e9))).toBeNull();
});

test('an owner who is late loses the call, and it escalates again', () => {
  const record = acknowledgeCall(open({}), { id: 'c', owner: 'bob', eta_ms: 5_000 }, occasion(500))!;
  expect(afterDeadlines(record, occasion(5_499))).toBeNull();
  const late = afterDeadlines(record, occasion(5_500))!;
  expect(late.call).toMatchObject({
    mode: 'call',
    late_owner: 'bob',
    overdue_at: at(5_500),
    respond_by: at(6_500),
  });
  expect(late.call).not.toHaveProperty('owner');
  expect(late.call).not.toHaveProperty('acknowledged_at');
  expect(pendingEvents(late).at(-1)).toMatchObject({
    event: 'overdue',
    owner: 'bob',
    eta: at(5_500),
    by: 'andon',
  });
  expect(steps(afterDeadlines(record, occasion(8_000))!)).toEqual([
    ['acknowledged', 500, undefined],
    ['overdue', 5_500, undefined],
    ['escalated', 6_500, 1],
    ['escalated', 7_500, 2],
  ]);
  const again = acknowledgeCall(late, { id: 'c', owner: 'carol' }, occasion(6_000))!;
  expect(again.call).toMatchObject({ owner: 'carol', first_acknowledged_at: at(500), eta: at(1_806_000) });
  expect(afterDeadlines(again, occasion(60_000))).toBeNull();
});

test('an automatic call whose owner is late does not stop its line', () => {
  const record = acknowledgeCall(
    open({ automatic: true }),
    { id: 'c', owner: 'bob', eta_ms: 5_000 },
    occasion(0),
  )!;
  const late = afterDeadlines(record, occasion(60_000))!;
  expect(late.call).toMatchObject({ mode: 'call', level: 3, automatic: true });
  expect(late.stops).toEqual([]);
});

describe('a call that the version before opened', () => {
  const record = (given: Partial<AndonCall>): StopRecord => ({
    ...emptyStopRecord('demo'),
    call: sampleCall({ id: 'c', line: 'demo', opened_at: at(0), ...given }),
  });

  test('becomes a stop when nobody answers, and escalates on', () => {
    const after = watched(record({ respond_by: at(1_000) }), 100);
    expect(after.call).toMatchObject({ mode: 'stop', escalated_at: at(1_000), level: 3 });
    expect(after.stops).toEqual([[at(1_000)]]);
  });

  test('does not become a stop twice', () => {
    const given = { respond_by: at(1_000), mode: 'stop', escalated_at: at(1_000) } as const;
    const after = watched(record(given), 100);
    expect(after.stops).toEqual([]);
    expect(pendingEvents(after).map(({ level }) => level)).toEqual([2, 3]);
  });

  test('is never overdue, because its owner gave no ETA', () => {
    const given = { respond_by: at(1_000), owner: 'bob', acknowledged_at: at(500) };
    expect(afterDeadlines(record(given), occasion(1e9))).toBeNull();
  });
});
