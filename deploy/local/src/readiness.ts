import { lastLines } from './log-files';
import { type ProbeResult, probe } from './probe';
import type { FleetState, FleetPart } from './state';

const SHOWN_CHARS = 300;

/** A process of the fleet or a broker elsewhere, with the result of its probe. */
export interface Readiness {
  readonly name: string;
  readonly service: string;
  readonly part?: FleetPart;
  readonly result: ProbeResult;
}

/** Probes every part of a running fleet at the same time. */
export async function probeAll({
  parts,
  externals,
}: Pick<FleetState, 'parts' | 'externals'>): Promise<Readiness[]> {
  const own = parts.map(async (part) => {
    const { name, service, ready } = part;
    return { name, service, part, result: part.state === 'live' ? await probe(ready) : notLive(part) };
  });
  const used = externals.map(async ({ service, ready }) => ({
    name: service,
    service,
    result: await probe(ready),
  }));
  return Promise.all([...own, ...used]);
}

function notLive({ state, reason }: FleetPart): ProbeResult {
  return {
    answered: false,
    ok: false,
    detail: reason === undefined ? state : `${state}; before that ${reason}`,
  };
}

/** Describes for the user why a part is not ready, with the last lines of its log. */
export function describeUnready({ name, part, result }: Readiness): string {
  if (part === undefined) return `  ${name}: ${result.detail}`;
  const restarts = part.restarts > 0 ? ` (restarted ${part.restarts} times)` : '';
  // The lines of a process before its end say more than the first ones of its successor.
  const isSuccessor = part.restarts > 0 && part.state !== 'waiting';
  const lines = lastLines(part.log, 3, isSuccessor ? 0 : part.logFrom);
  return [
    `  ${name}: ${result.detail}${restarts}`,
    ...lines.map((line) => `    | ${line.slice(0, SHOWN_CHARS)}`),
  ].join('\n');
}
