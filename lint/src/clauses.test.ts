import { clausesOf } from './clauses';

/** Splits a template of several lines, which the check does not read, so that it skips these examples. */
const lines = (text: string): string[] => text.trim().split('\n');

const INVERTED = lines(`
Who comes while one is under way shares the next one.
What was written over meanwhile is still counted.
Of one that may have run the records are asked.
As many redrives are under way as may be.
So many signals in a row that kanban did not take.
Should it have succeeded, it must not be recorded as expired.
One that is called meanwhile waits for the other.
Those of one scrape share one question.
For who may come before the owner of the stream.
"Whatever" a service derives from it is a projection.
(whoever lives writes them)
`);

const PLAIN = lines(`
Coalesces concurrent calls.
One circuit per signal type stops the line.
One of the seven services answers.
So that a restart loses nothing, it is written first.
So the figure errs on the high side.
Of course the broker may be away.
Should return the number of messages.
As long as the broker is away, nothing is published.
What happens when NATS is away?
How long a caller waits, in milliseconds.
That is the one drainer.
Whether the line runs, by its two records.
`);

const inverted = (text: string): boolean[] => clausesOf({ text, line: 1 }).map((clause) => clause.inverted);

test.each(INVERTED)('is inverted: %s', (clause) => {
  expect(inverted(clause)).toEqual([true]);
});

test.each(PLAIN)('is plain: %s', (clause) => {
  expect(inverted(clause)).toEqual([false]);
});

test('clauses end at a full stop, a colon or a semicolon, and each has its own line', () => {
  const text = `Reads the log: what was
finished is skipped. It waits,
e.g. for a leader; who asks waits too`;
  expect(clausesOf({ text, line: 7 }).map(({ text, line }) => `${line} ${text}`)).toEqual(
    lines(`
7 Reads the log:
7 what was finished is skipped.
8 It waits, e.g. for a leader;
9 who asks waits too
`),
  );
  expect(inverted(text)).toEqual([false, true, false, true]);
});

test('fragments of one or two words are left out', () => {
  expect(clausesOf({ text: 'Default: what. Of time.', line: 1 })).toEqual([]);
});
