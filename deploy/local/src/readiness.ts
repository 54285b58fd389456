import { lastLines } from './log-files';
import { type Finding, probe } from './probe';
import type { FleetState, Part } from './state';

const SHOWN_CHARS = 300;

/** A process of the fleet, or a broker that it only uses, and what it says when asked. */
export interface Readiness {
  readonly name: string;
  readonly service: string;
  readonly part?: Part;
  readonly finding: Finding;
}

/** Asks every part of a running fleet, all at the same time. */
export async function askAll({
  parts,
  externals,
}: Pick<FleetState, 'parts' | 'externals'>): Promise<Readiness[]> {
  const own = parts.map(async (part) => {
    const { name, service, ready } = part;
    return { name, service, part, finding: part.state === 'live' ? await probe(ready) : notLive(part) };
  });
  const used = externals.map(async ({ service, ready }) => ({
    name: service,
    service,
    finding: await probe(ready),
  }));
  return Promise.all([...own, ...used]);
}

function notLive({ state, reason }: Part): Finding {
  return {
    answered: false,
    ok: false,
    detail: reason === undefined ? state : `${state}; before that ${reason}`,
  };
}

/** For a person: what is wrong, and what it wrote last. */
export function describeUnready({ name, part, finding }: Readiness): string {
  if (part === undefined) return `  ${name}: ${finding.detail}`;
  const restarts = part.restarts > 0 ? ` (restarted ${part.restarts} times)` : '';
  // What a process wrote before it ended says more than what its successor has written so far.
  const isSuccessor = part.restarts > 0 && part.state !== 'waiting';
  const lines = lastLines(part.log, 3, isSuccessor ? 0 : part.logFrom);
  return [
    `  ${name}: ${finding.detail}${restarts}`,
    ...lines.map((line) => `    | ${line.slice(0, SHOWN_CHARS)}`),
  ].join('\n');
}
