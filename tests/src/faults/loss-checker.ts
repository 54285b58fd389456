import type { Journal } from './journal';

export const FINAL = ['succeeded', 'failed', 'rejected', 'expired', 'cancelled'];

/** The fleet's answer about a signal; `unknown` when it has none. */
export interface SignalStatus {
  status: string;
  attempt?: number;
}

/** The fleet's side, read when everything has come to rest. */
export interface FleetOutcome {
  /** By signal id; every accepted one is asked for. */
  found: ReadonlyMap<string, SignalStatus>;
  /** Final outcomes that were counted since the journal began, all statuses together. */
  counted: number;
  /** Second final outcomes of a run, since the journal began. */
  superseded: number;
  /** How often each key had an effect, where that can be seen. */
  effects?: ReadonlyMap<string, number>;
}

/**
 * The queue as a whole, after a full drain (as Jepsen's total-queue checker sees one): everything accepted came out,
 * nothing came out that was not put in, and what is unknown may have come out or not.
 */
export interface CheckResult {
  sent: number;
  accepted: number;
  refused: number;
  unknown: number;
  /** Accepted, and without a final outcome. */
  lost: string[];
  /** Accepted, and ended otherwise than done: only where nothing fails and there is time enough is that a fault. */
  undone: string[];
  /** Came out, though never sent. */
  unexpected: string[];
  /** Unknown to the client, and came out. */
  recovered: number;
  /** Refused, but run all the same: the refusal was not true. */
  untrue: string[];
  /** Accepted, and without an effect though said to have succeeded. */
  ineffective: string[];
  /** Effects beyond the first of a signal, and their share of the accepted in percent. */
  repeated: number;
  repeatedPercent: number;
  superseded: number;
  /** The fleet's own total. */
  counted: number;
  /** That is the number of signals. */
  countsAgree: boolean;
  longestMs: number;
}

export function checkNoLoss(
  journal: Journal,
  { found, counted, superseded, effects }: FleetOutcome,
): CheckResult {
  const accepted = journal.accepted;
  const unknown = journal.of('unknown');
  const lost: string[] = [];
  const undone: string[] = [];
  const ineffective: string[] = [];
  let repeated = 0;
  for (const { key, id = '' } of accepted) {
    const { status, attempt = 1 } = found.get(id) ?? { status: 'unknown' };
    if (!FINAL.includes(status)) lost.push(key);
    else if (status !== 'succeeded') undone.push(`${key}: ${status}`);
    if (effects && status === 'succeeded' && !effects.get(key)) ineffective.push(key);
    repeated += effects ? Math.max(0, (effects.get(key) ?? 0) - 1) : Math.max(0, attempt - 1);
  }
  const came = [...(effects?.keys() ?? [])];
  const recovered = effects
    ? unknown.filter(({ key }) => effects.has(key)).length
    : Math.max(0, counted - accepted.length);
  return {
    sent: journal.entries.size,
    accepted: accepted.length,
    refused: journal.of('refused').length,
    unknown: unknown.length,
    lost,
    undone,
    unexpected: came.filter((key) => !journal.entries.has(key)),
    untrue: journal.of('refused').flatMap(({ key }) => (effects?.has(key) ? key : [])),
    recovered,
    ineffective,
    repeated,
    repeatedPercent: accepted.length > 0 ? (repeated / accepted.length) * 100 : 0,
    superseded,
    counted,
    countsAgree: counted === accepted.length + recovered && recovered <= unknown.length,
    longestMs: journal.longestMs,
  };
}
