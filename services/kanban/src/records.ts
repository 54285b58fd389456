import { ask, type Bus, managerOf } from '@tps/bus';
import { attemptIn, type Outcome, type Signal } from '@tps/contracts';

const LOOKUP_LIMIT_MS = 2_000;

export type RunKey = `${string}:${number}`;

export function runKey({ id, run }: Pick<Signal, 'id' | 'run'>): RunKey {
  return `${id}:${run}`;
}

/**
 * Which of these runs have a final outcome. At most `LOOKUP_MAX_IDS` at once.
 * @throws when the records do not answer
 */
export async function finishedRuns(
  bus: Bus,
  signals: readonly Pick<Signal, 'id' | 'run'>[],
): Promise<Set<RunKey>> {
  const finished = new Set<RunKey>();
  let ids = [...new Set(signals.map(({ id }) => id))];
  while (ids.length > 0) {
    const { records, left_out } = await ask(bus, 'lookup', { ids }, { timeoutMs: LOOKUP_LIMIT_MS });
    for (const { outcomes } of records) {
      for (const { final, signal_id: id, run } of outcomes) if (final) finished.add(runKey({ id, run }));
    }
    // An answer that brings nothing would leave the same out again.
    ids = records.length > 0 ? (left_out ?? []) : [];
  }
  return finished;
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
