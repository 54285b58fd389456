import type { CircuitState } from '@tps/contracts';
import type { Kind } from './answer-counts';

export type Colour = 'green' | 'yellow' | 'red';

/** The figures of a load test. */
export interface LoadFacts {
  sent: number;
  /** Signals that were never sent, because too many were outstanding. */
  unsent: number;
  kinds: Record<Kind, number>;
  /** As the callers saw it, waiting included; NaN when nothing was accepted. */
  p99Ms: number;
  /** The circuit of the type, once a second; null where the fleet did not answer. */
  circuit: readonly (CircuitState | null)[];
  /** Signals refused with CIRCUIT_OPEN. They reveal a circuit that was open for less than a second. */
  circuitRefusals: number;
  /** Time from the last send until nothing was waiting; null when that took too long. */
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

/** Applies the four criteria of the guide ("Load Test Interpretation"). */
export function checkCriteria(facts: LoadFacts): Criterion[] {
  return [checkErrors(facts), checkP99(facts), checkCircuit(facts), checkDrain(facts)];
}

export function worst(criteria: readonly Criterion[]): Colour {
  return criteria.reduce<Colour>(
    (found, { colour }) => (RANK[colour] > RANK[found] ? colour : found),
    'green',
  );
}

/** A 429 counts as neither success nor error: back pressure is the right answer of a full line. */
function checkErrors({ sent, unsent, kinds }: LoadFacts): Criterion {
  const counted = sent + unsent - kinds.refused;
  const errors = kinds.stopped + kinds.failed + unsent;
  const percent = counted > 0 ? (100 * errors) / counted : NaN;
  const value = counted > 0 ? `${percent.toFixed(2)} % (${errors} of ${counted})` : 'nothing was accepted';
  const colour = percent < 1 ? 'green' : percent <= 5 ? 'yellow' : 'red';
  return { name: 'error rate', value, colour, limits: '< 1 %, 1-5 %, > 5 %' };
}

function checkP99({ p99Ms }: LoadFacts): Criterion {
  const colour = p99Ms < 200 ? 'green' : p99Ms <= 500 ? 'yellow' : 'red';
  const value = Number.isNaN(p99Ms) ? 'nothing was accepted' : `${p99Ms.toFixed(0)} ms`;
  return { name: 'p99_duration_ms', value, colour, limits: '< 200, 200-500, > 500' };
}

function checkCircuit({ circuit, circuitRefusals }: LoadFacts): Criterion {
  const known = circuit.filter((state) => state !== null);
  const stopped = known.filter((state) => state !== 'Closed').length;
  const criterion = { name: 'circuit opened', limits: 'never, for a while, most of the time' };
  if (known.length === 0) {
    return { ...criterion, value: 'unknown: /health did not answer', colour: 'yellow' };
  }
  const value = `${stopped} of ${known.length} s`;
  if (stopped > known.length / 2) return { ...criterion, value, colour: 'red' };
  if (stopped === 0 && circuitRefusals === 0) return { ...criterion, value: 'never', colour: 'green' };
  return { ...criterion, value: `${value}, ${circuitRefusals} refused`, colour: 'yellow' };
}

function checkDrain({ drainMs }: LoadFacts): Criterion {
  const criterion = { name: 'queue drained', limits: '< 10 s, 10-60 s, never' };
  if (drainMs === null) return { ...criterion, value: 'not within the limit', colour: 'red' };
  const colour = drainMs < 10_000 ? 'green' : 'yellow';
  return { ...criterion, value: `in ${(drainMs / 1_000).toFixed(1)} s`, colour };
}
