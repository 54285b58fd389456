import type { StopRecord } from '@tps/contracts';
import { openCall, type CallCause, resumeCall, emptyStopRecord } from './call-transitions';
import { repeatedCountermeasure } from './recurrence';

const occasion = (ms: number) => ({ at: new Date(1.8e12 + ms), light: 'GREEN' as const });
const open = (record: StopRecord, id: string, given: Partial<CallCause>): StopRecord => {
  const cause: CallCause = { id, rule: 'cord', reason: 'noise', by: 'alice', mode: 'call', respondMs: 1_000 };
  return openCall(record, { ...cause, ...given }, occasion(0));
};
const resume = (record: StopRecord, id: string, countermeasure: string): StopRecord =>
  resumeCall(record, { id, owner: 'bob', countermeasure }, occasion(500))!;

test.each<[what: string, first: Partial<CallCause>, second: Partial<CallCause>, recurrences: number]>([
  ['the same fingerprint', { fingerprint: 'f' }, { fingerprint: 'f', reason: 'other words' }, 1],
  ['another fingerprint', { fingerprint: 'f' }, { fingerprint: 'g' }, 0],
  ['the same rule without a fingerprint', { rule: 'p99' }, { rule: 'p99', reason: 'other figures' }, 1],
  ['another rule', { rule: 'p99' }, { rule: 'no_worker' }, 0],
  ['the same words at the cord', { reason: 'Smells  burnt' }, { reason: 'smells burnt ' }, 1],
  ['other words at the cord', { reason: 'noise' }, { reason: 'smells burnt' }, 0],
])('a call with %s: recurrences', (_, first, second, recurrences) => {
  const once = resume(open(emptyStopRecord('demo'), 'c1', first), 'c1', 'oiled it');
  const { call } = open(once, 'c2', second);
  expect(call).toMatchObject({ recurrences });
  if (recurrences === 0) expect(call).not.toHaveProperty('last_countermeasure');
  else
    expect(call).toMatchObject({
      recurrence_of: 'c1',
      last_countermeasure: { owner: 'bob', text: 'oiled it' },
    });
});

test('a call that the version before resumed counts by its fingerprint', () => {
  const resolved = {
    id: 'c0',
    owner: 'bob',
    countermeasure: 'oiled it',
    resumed_at: occasion(0).at.toISOString(),
  };
  const known = { ...emptyStopRecord('demo'), resolved: [{ ...resolved, fingerprint: 'f' }, resolved] };
  expect(open(known, 'c1', { fingerprint: 'f' }).call).toMatchObject({ recurrences: 1, recurrence_of: 'c0' });
});

test('the same countermeasure is found in other writing, and only for a recurrence', () => {
  const once = open(emptyStopRecord('demo'), 'c1', {});
  const repeated = (record: StopRecord, countermeasure: string) =>
    repeatedCountermeasure(record.call, { id: 'c', owner: 'bob', countermeasure });
  expect(repeated(once, 'oiled it')).toBeNull();
  const again = open(resume(once, 'c1', 'oiled it'), 'c2', {});
  expect(repeated(again, ' Oiled   it')).toMatchObject({ owner: 'bob', text: 'oiled it' });
  expect(repeated(again, 'oiled it twice')).toBeNull();
});
