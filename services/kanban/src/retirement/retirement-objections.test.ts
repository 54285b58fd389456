import type { BackupHoldings } from '@tps/contracts';
import { backupObjectionTo, objectionTo, type TypeFacts } from './retirement-objections';

const facts = (given: Partial<TypeFacts> = {}): TypeFacts => ({
  ...{ type: 'old', missing: [], workers: [], waiting: 0, in_progress: 0, redrives: [] },
  ...given,
});

const says = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

test('a type without workers and work may be retired', () => {
  expect(objectionTo(facts())).toBeNull();
});

test.each<[Partial<TypeFacts>, object]>([
  [{ workers: ['w1'] }, { refused: 'served', workers: ['w1'], reason: says(/^w1 serves "old"/) }],
  [
    { workers: ['w1', 'w2'], waiting: 3 },
    { refused: 'served', reason: says(/^w1, w2 serve /) },
  ],
  [{ waiting: 3 }, { refused: 'has_work', waiting: 3, in_progress: 0 }],
  [{ in_progress: 1 }, { refused: 'has_work', waiting: 0, in_progress: 1 }],
  [{ redrives: ['r1'] }, { refused: 'has_work', redrives: ['r1'], reason: says(/by r1:/) }],
  [{ missing: ['jidoka', 'andon'] }, { refused: 'unavailable', reason: says(/^jidoka, andon/) }],
])('%j keeps it', (given, refusal) => {
  expect(objectionTo(facts(given))).toMatchObject(refusal);
});

test.each<[string, BackupHoldings[], object | null]>([
  ['no backup', [], null],
  ['an empty backup', [{ of_type: 0, waiting: 0 }], null],
  [
    'a process that is not connected beside one that is',
    [
      { of_type: 0, waiting: null },
      { of_type: 0, waiting: 0 },
    ],
    null,
  ],
  ['signals of the type', [{ of_type: 2, waiting: 0 }], { refused: 'has_work', on_backup: 2 }],
  ['messages whose type nobody knows', [{ of_type: 0, waiting: 5 }], { refused: 'has_work', on_backup: 5 }],
  ['a RabbitMQ that does not answer', [{ of_type: 0, waiting: null }], { refused: 'unavailable' }],
])('the backup: %s', (_, holdings, refusal) => {
  const found = backupObjectionTo('old', holdings);
  if (refusal) expect(found).toMatchObject(refusal);
  else expect(found).toBeNull();
});
