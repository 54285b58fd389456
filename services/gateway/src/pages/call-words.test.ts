import type { OpenCall } from '@tps/contracts';
import { sampleCall } from '@tps/testkit';
import { describeCall, ownerOf } from '../../web/call-words';
import { clock } from '../../web/format';

const NOW = Date.parse('2026-01-25T12:00:00Z');
const at = (ms: number): string => new Date(NOW + ms).toISOString();
const call = (given: Partial<OpenCall>): OpenCall => ({
  ...sampleCall({ by: 'alice', rule: 'repeated_stops', recurrences: 0 }),
  ...{ age_ms: 120_000, stopped: false },
  ...given,
});

test.each<[string, Partial<OpenCall>, string]>([
  ['a call', {}, 'Running. Called by alice 2 min ago (repeated stops).'],
  [
    'a call that will stop the line',
    { respond_by: at(60_000) },
    'Running, to be stopped in 60 s if nobody acknowledges. Called by alice 2 min ago (repeated stops).',
  ],
  [
    'a call of three people that escalated twice',
    { level: 2, pulls: ['a', 'b', 'c'].map((by) => ({ by, reason: 'x', mode: 'call', at: at(0) })) },
    'Running. Called by alice and 2 more 2 min ago (repeated stops). Escalated 2 times.',
  ],
  [
    'a recurrence',
    { recurrences: 1, last_countermeasure: { owner: 'bob', text: 'oiled it', at: at(-60_000) } },
    `Running. Called by alice 2 min ago (repeated stops). It came back after a countermeasure: “oiled it” (bob, ${clock(at(-60_000), NOW)}).`,
  ],
])('%s', (_, given, expected) => {
  expect(describeCall(call(given), 'Running', NOW)).toBe(expected);
});

test.each<[Partial<OpenCall> | undefined, string]>([
  [undefined, 'Nobody looks after it yet.'],
  [{ owner: 'bob' }, 'bob looks after it.'],
  [{ owner: 'bob', eta: at(60_000) }, `bob looks after it, until ${clock(at(60_000), NOW)}.`],
  [{ late_owner: 'bob' }, 'bob is late: nobody looks after it now.'],
])('the owner of %j: "%s"', (given, expected) => {
  expect(ownerOf(given && { ...call({}), ...given }, NOW)).toBe(expected);
});
