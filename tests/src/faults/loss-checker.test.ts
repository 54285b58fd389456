import { checkNoLoss, type FleetOutcome } from './loss-checker';
import { Journal } from './journal';

/** A: accepted, R: refused, U: unknown. */
function journalOf(replies: string): Journal {
  const journal = new Journal();
  const name = { A: 'accepted', R: 'refused', U: 'unknown' } as const;
  [...replies].forEach((reply, n) =>
    journal.record(`k${n}`, name[reply as 'A'], { ms: 1, ...(reply === 'A' ? { id: `id${n}` } : {}) }),
  );
  return journal;
}
function outcome(given: Partial<FleetOutcome> & { succeeded?: string[] }): FleetOutcome {
  const { succeeded = [], ...rest } = given;
  const found = new Map(succeeded.map((id) => [id, { status: 'succeeded' }]));
  return { found, counted: succeeded.length, superseded: 0, ...rest };
}

test('everything accepted came out once', () => {
  const effects = new Map([
    ['k0', 1],
    ['k1', 1],
  ]);
  const result = checkNoLoss(journalOf('AAR'), outcome({ succeeded: ['id0', 'id1'], effects }));
  expect(result).toMatchObject({ accepted: 2, refused: 1, lost: [], unexpected: [], countsAgree: true });
  expect(result).toMatchObject({ repeated: 0, recovered: 0, ineffective: [] });
});

test('an accepted signal without an outcome is lost, and so is one that still waits', () => {
  const found = new Map([['id0', { status: 'queued' }]]);
  expect(checkNoLoss(journalOf('AA'), outcome({ found, counted: 0 }))).toMatchObject({
    lost: ['k0', 'k1'],
    countsAgree: false,
  });
});

test('an unknown may come out or not', () => {
  const effects = new Map([
    ['k0', 1],
    ['k1', 1],
  ]);
  const both = checkNoLoss(journalOf('AUU'), outcome({ succeeded: ['id0'], counted: 2, effects }));
  expect(both).toMatchObject({ recovered: 1, lost: [], unexpected: [], countsAgree: true });
  expect(checkNoLoss(journalOf('AU'), outcome({ succeeded: ['id0'] }))).toMatchObject({
    recovered: 0,
    countsAgree: true,
  });
  expect(checkNoLoss(journalOf('AU'), outcome({ succeeded: ['id0'], counted: 3 }))).toMatchObject({
    countsAgree: false,
  });
});

test('a refused signal must have no outcome', () => {
  const effects = new Map([['k0', 1]]);
  expect(checkNoLoss(journalOf('R'), outcome({ counted: 1, effects }))).toMatchObject({
    untrue: ['k0'],
    countsAgree: false,
  });
});

test('a signal that was never sent must have no effect, and a succeeded one must have its effect', () => {
  const effects = new Map([['other', 1]]);
  expect(checkNoLoss(journalOf('A'), outcome({ succeeded: ['id0'], effects }))).toMatchObject({
    unexpected: ['other'],
    ineffective: ['k0'],
  });
});

test('repeated effects are counted beyond the first', () => {
  const effects = new Map([
    ['k0', 3],
    ['k1', 1],
  ]);
  const result = checkNoLoss(journalOf('AA'), outcome({ succeeded: ['id0', 'id1'], effects, superseded: 1 }));
  expect(result).toMatchObject({ repeated: 2, repeatedPercent: 100, superseded: 1 });
});

test.each([
  ['UR', 'unknown'],
  ['RU', 'unknown'],
  ['URA', 'accepted'],
  ['AR', 'accepted'],
  ['AU', 'accepted'],
  ['RR', 'refused'],
])('attempts %s with one key are %s', (replies, expected) => {
  const journal = new Journal();
  const name = { A: 'accepted', R: 'refused', U: 'unknown' } as const;
  for (const reply of replies) journal.record('k', name[reply as 'A'], { ms: 1 });
  expect([...journal.entries.values()]).toMatchObject([{ reply: expected, attempts: replies.length }]);
});
