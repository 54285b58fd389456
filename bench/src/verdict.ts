import type { CircuitState } from '@tps/contracts';
import type { Kind } from './tally';

export type Colour = 'green' | 'yellow' | 'red';

/** What a load test found out. */
export interface LoadFacts {
  sent: number;
  /** Could not even be sent: too many were outstanding. */
  unsent: number;
  kinds: Record<Kind, number>;
  /** As the callers saw it, waiting included; NaN when nothing was accepted. */
  p99Ms: number;
  /** The type's circuit, once a second; null where the fleet did not say. */
  circuit: readonly (CircuitState | null)[];
  /** Signals refused with CIRCUIT_OPEN: an opening between two looks shows here. */
  circuitRefusals: number;
  /** From the last send until nothing waited any more; null: not within the limit. */
  drainMs: number | null;
}

export interface Criterion {
  name: string;
  value: string;
  colour: Colour;
  /** The limits of green, yellow and red. */
  limits: string;
}

const RANK: Record<Colour, number> = { green: 0, yellow: 1, red: 2 };

/** The seed's four criteria ("Load Test Interpretation"). */
export function judge(facts: LoadFacts): Criterion[] {
  return [judgeErrors(facts), judgeP99(facts), judgeCircuit(facts), judgeDrain(facts)];
}

export function worst(criteria: readonly Criterion[]): Colour {
  return criteria.reduce<Colour>(
    (found, { colour }) => (RANK[colour] > RANK[found] ? colour : found),
    'green',
  );
}

/** Back pressure (429) is what a full line should answer, so it is neither success nor error. */
function judgeErrors({ sent, unsent, kinds }: LoadFacts): Criterion {
  const counted = sent + unsent - kinds.refused;
  const errors = kinds.stopped + kinds.failed + unsent;
  const percent = counted > 0 ? (100 * errors) / counted : NaN;
  const value = counted > 0 ? `${percent.toFixed(2)} % (${errors} of ${counted})` : 'nothing was accepted';
  const colour = percent < 1 ? 'green' : percent <= 5 ? 'yellow' : 'red';
  return { name: 'error rate', value, colour, limits: '< 1 %, 1-5 %, > 5 %' };
}

function judgeP99({ p99Ms }: LoadFacts): Criterion {
  const colour = p99Ms < 200 ? 'green' : p99Ms <= 500 ? 'yellow' : 'red';
  const value = Number.isNaN(p99Ms) ? 'nothing was accepted' : `${p99Ms.toFixed(0)} ms`;
  return { name: 'p99_duration_ms', value, colour, limits: '< 200, 200-500, > 500' };
}

function judgeCircuit({ circuit, circuitRefusals }: LoadFacts): Criterion {
  const known = circuit.filter((state) => state !== null);
  const stopped = known.filter((state) => state !== 'Closed').length;
  const criterion = { name: 'circuit opened', limits: 'never, for a while, most of the time' };
  if (known.length === 0)
    return { ...criterion, value: 'not known: /health did not answer', colour: 'yellow' };
  if (stopped > known.length / 2)
    return { ...criterion, value: `${stopped} of ${known.length} s`, colour: 'red' };
  if (stopped === 0 && circuitRefusals === 0) return { ...criterion, value: 'never', colour: 'green' };
  return {
    ...criterion,
    value: `${stopped} of ${known.length} s, ${circuitRefusals} refused`,
    colour: 'yellow',
  };
}

function judgeDrain({ drainMs }: LoadFacts): Criterion {
  const criterion = { name: 'queue drained', limits: '< 10 s, 10-60 s, never' };
  if (drainMs === null) return { ...criterion, value: 'not within the limit', colour: 'red' };
  return {
    ...criterion,
    value: `in ${(drainMs / 1_000).toFixed(1)} s`,
    colour: drainMs < 10_000 ? 'green' : 'yellow',
  };
}
