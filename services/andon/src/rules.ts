import { type CircuitState, type Colour, COLOURS, type ServiceName } from '@tps/contracts';
import type { LineFigures } from './line-window';

/** What the rules look at: one line at one moment. */
export interface LineFacts extends LineFigures {
  circuit: CircuitState;
  circuit_reason?: string;
  circuit_trace?: string;
  /** What one signal should take, where the type says so. */
  standard_ms?: number;
  /** Some living worker serves the type. */
  served: boolean;
}

/** A colour and what gave it. */
export interface Verdict {
  colour: Colour;
  rule: string;
  reason: string;
  trace_id?: string;
}

type Finding = Omit<Verdict, 'rule'>;

interface Rule {
  rule: string;
  judge: (facts: LineFacts) => Finding | undefined;
}

/** A rate or percentile of fewer signals says little. */
const ENOUGH = 20;
const ERROR_PERCENT = { yellow: 1, red: 5 };
const P99_MS = { yellow: 200, red: 500 };

export function rank(colour: Colour): number {
  return COLOURS.indexOf(colour);
}

export function worst(colours: Iterable<Colour>): Colour {
  let worst: Colour = 'GREEN';
  for (const colour of colours) if (rank(colour) > rank(worst)) worst = colour;
  return worst;
}

/** In the order in which they are named when several give the same colour. */
const LINE_RULES: readonly Rule[] = [
  {
    rule: 'circuit',
    judge: ({ circuit, circuit_reason, circuit_trace }) => {
      if (circuit === 'Closed') return undefined;
      const colour = circuit === 'Open' ? 'RED' : 'YELLOW';
      return caused(circuit_trace, {
        colour,
        reason: `circuit ${circuit}: ${circuit_reason ?? 'no reason given'}`,
      });
    },
  },
  {
    rule: 'no_worker',
    judge: ({ served }) =>
      served ? undefined : { colour: 'RED', reason: 'no living worker serves this type' },
  },
  {
    rule: 'error_rate',
    judge: ({ processed, failed, error_rate, failure_trace }) => {
      if (processed < ENOUGH || error_rate < ERROR_PERCENT.yellow) return undefined;
      const colour = error_rate > ERROR_PERCENT.red ? 'RED' : 'YELLOW';
      return caused(failure_trace, { colour, reason: `${failed} of ${processed} failed (${error_rate} %)` });
    },
  },
  {
    rule: 'p99',
    judge: ({ processed, p99_ms, standard_ms, slowest_trace }) => {
      const yellow = standard_ms ?? P99_MS.yellow;
      const red = (yellow * P99_MS.red) / P99_MS.yellow;
      if (processed < ENOUGH || p99_ms < yellow) return undefined;
      const colour = p99_ms > red ? 'RED' : 'YELLOW';
      return caused(slowest_trace, {
        colour,
        reason: `99 % take up to ${p99_ms} ms; the standard is ${yellow} ms`,
      });
    },
  },
];

/** The worst that any rule finds. */
export function judgeLine(facts: LineFacts): Verdict {
  let verdict: Verdict = { colour: 'GREEN', rule: 'within_limits', reason: 'all within limits' };
  for (const { rule, judge } of LINE_RULES) {
    const finding = judge(facts);
    if (finding && rank(finding.colour) > rank(verdict.colour)) verdict = { rule, ...finding };
  }
  return verdict;
}

export interface StationFacts {
  service: ServiceName;
  up: boolean;
  replicas: number;
  /** Long enough here to have heard from everyone who lives. */
  settled: boolean;
}

export function judgeStation({ service, up, replicas, settled }: StationFacts): Verdict {
  if (up) return { colour: 'GREEN', rule: 'within_limits', reason: `${replicas} ready` };
  if (!settled) return { colour: 'YELLOW', rule: 'not_heard', reason: 'not heard from yet' };
  // Without jidoka the gateway goes on with the last known circuits: nothing stops, nothing is looked after.
  return { colour: service === 'jidoka' ? 'YELLOW' : 'RED', rule: 'missing', reason: 'nobody is ready' };
}

function caused(trace_id: string | undefined, finding: Finding): Finding {
  return trace_id === undefined ? finding : { ...finding, trace_id };
}
