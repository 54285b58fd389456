import type { EnqueueRefusal } from '@tps/contracts';
import {
  afterBackup,
  backupRefusal,
  type SubmitFacts,
  type SubmitRoute,
  submitRoute,
  triesNext,
} from './submit-route';

const BOTH = [false, true];
const EVERY_FACT: SubmitFacts[] = BOTH.flatMap((hasBackup) =>
  BOTH.flatMap((backupMode) =>
    BOTH.flatMap((backupDrains) =>
      BOTH.map((connected) => ({ hasBackup, backupMode, backupDrains, connected })),
    ),
  ),
);

type Row = [facts: Partial<SubmitFacts>, route: Partial<SubmitRoute>];
/** Facts that a row leaves out make no difference to it, and neither do parts of the route that its places never use. */
const TABLE: Row[] = [
  [{ hasBackup: false }, { places: ['kanban'] }],
  [
    { hasBackup: true, backupMode: false },
    { places: ['kanban', 'backup'], countsAsOutage: true },
  ],
  [
    { hasBackup: true, backupMode: true, backupDrains: true },
    { places: ['kanban', 'backup'], countsAsOutage: true },
  ],
  [
    { hasBackup: true, backupMode: true, backupDrains: false, connected: true },
    { places: ['backup', 'kanban'], countsAsOutage: false },
  ],
  [
    { hasBackup: true, backupMode: true, backupDrains: false, connected: false },
    { places: ['backup', 'kanban'], countsAsOutage: true },
  ],
];

function fits(facts: SubmitFacts, row: Partial<SubmitFacts>): boolean {
  return Object.entries(row).every(([name, value]) => facts[name as keyof SubmitFacts] === value);
}

describe('the route of a new signal', () => {
  test.each(TABLE)('%j goes %j', (row, route) => {
    for (const facts of EVERY_FACT.filter((each) => fits(each, row))) {
      expect({ facts, ...submitRoute(facts) }).toMatchObject({ facts, ...route });
    }
  });

  test('the table has one row for each combination that can occur', () => {
    // kanban drains the backup over NATS: without NATS no gateway sees it drained.
    const possible = EVERY_FACT.filter(({ backupDrains, connected, hasBackup }) =>
      hasBackup ? connected || !backupDrains : !backupDrains,
    );
    for (const facts of possible) {
      expect({ facts, rows: TABLE.filter(([row]) => fits(facts, row)).length }).toEqual({ facts, rows: 1 });
    }
  });
});

const refusal = (given: Partial<EnqueueRefusal> = {}): EnqueueRefusal => ({
  ok: false,
  code: 'NO_BROKER',
  reason: 'kanban does not answer',
  retry_after_ms: 2_000,
  accepted: false,
  ...given,
});

describe('the next place is tried', () => {
  test.each([
    ['kanban', refusal(), true],
    ['kanban', refusal({ accepted: 'unknown' }), true],
    ['kanban', refusal({ code: 'KANBAN_FULL' }), false],
    ['kanban', refusal({ code: 'LINE_STOPPED' }), false],
    ['kanban', refusal({ code: 'UNKNOWN_SIGNAL_TYPE' }), false],
    ['backup', refusal(), true],
    ['backup', refusal({ code: 'KANBAN_FULL' }), true],
    ['backup', refusal({ accepted: 'unknown' }), false],
  ] as const)('after %s refused with %j: %s', (place, given, expected) => {
    expect(triesNext(place, given)).toBe(expected);
  });
});

describe('a refusal by kanban and the backup', () => {
  const backup = { message: 'RabbitMQ is not connected', arrived: false, full: false } as const;

  test('names both reasons', () => {
    expect(backupRefusal(refusal(), backup)).toEqual(
      refusal({ reason: 'kanban does not answer, and RabbitMQ is not connected' }),
    );
  });

  test.each([
    ['kanban', refusal({ accepted: 'unknown' }), backup],
    ['the backup', refusal(), { ...backup, arrived: 'unknown' as const }],
    ['kanban, while the backup is full', refusal({ accepted: 'unknown' }), { ...backup, full: true }],
  ])('is unknown when the signal may have reached %s', (_, kanban, failure) => {
    expect(backupRefusal(kanban, failure)).toMatchObject({ code: 'NO_BROKER', accepted: 'unknown' });
  });

  test('is KANBAN_FULL when the backup is full and kanban surely does not have the signal', () => {
    const full = { ...backup, message: 'the backup is full', full: true };
    expect(backupRefusal(refusal(), full)).toEqual(
      refusal({ code: 'KANBAN_FULL', reason: 'the backup is full' }),
    );
  });
});

describe('kanban, tried after the backup refused,', () => {
  test.each([
    ['is out of reach: the refusal by the backup stands', refusal(), 'the backup is full'],
    ['is full: its refusal counts', refusal({ code: 'KANBAN_FULL', reason: 'no room' }), 'no room'],
    ['may have the signal: its refusal counts', refusal({ accepted: 'unknown' }), 'kanban does not answer'],
  ])('%s', (_, kanban, reason) => {
    const full = refusal({ code: 'KANBAN_FULL', reason: 'the backup is full' });
    expect(afterBackup(full, kanban).reason).toBe(reason);
  });
});
