import { type Bus, managerOf, RecordsClient } from '@tps/bus';
import { attemptIn, type Outcome, type Signal } from '@tps/contracts';

export type RunKey = `${string}:${number}`;

export function runKey({ id, run }: Pick<Signal, 'id' | 'run'>): RunKey {
  return `${id}:${run}`;
}

/**
 * Which of these runs have a final outcome.
 * @throws RecordsUnavailableError
 */
export async function finishedRuns(
  bus: Bus,
  signals: readonly Pick<Signal, 'id' | 'run'>[],
): Promise<Set<RunKey>> {
  const records = new RecordsClient(bus);
  const outcomes = await Promise.all(signals.map(({ id }) => records.outcomesOf(id)));
  const finals = outcomes.flat().filter(({ final }) => final);
  return new Set(finals.map(({ signal_id: id, run }) => runKey({ id, run })));
}

/** The latest record of a failed attempt or hand-back in this run, if there is one and the stream says so. */
export async function lastAttempt(
  bus: Bus,
  { id, run }: Pick<Signal, 'id' | 'run'>,
): Promise<Outcome | undefined> {
  const jsm = await managerOf(bus);
  const query = { last_by_subj: bus.names.subjects.outcomeAttempt(id) };
  const message = await jsm.direct.getMessage(bus.names.streams.outcomes, query).catch(() => null);
  const outcome = message ? attemptIn(message) : undefined;
  return outcome?.run === run ? outcome : undefined;
}
