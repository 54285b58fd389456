import { type Colour, COLOURS } from '@tps/contracts';

/**
 * How a change of the rule behind an unchanged colour becomes known. `circuit`: at once. `call`: by the event of the call,
 * so the change of the light tells nothing new. Absent: at once for a rule that stands earlier in the list; for a later
 * one after a while, so that two rules near their thresholds do not take turns in the history.
 */
type RuleKind = 'circuit' | 'call';

/** A colour and the rule that gave it. */
export interface Assessment {
  colour: Colour;
  rule: string;
  reason: string;
  trace_id?: string;
  kind?: RuleKind;
  /** See `LightRule`. */
  figure?: true;
  /** The place of the rule in its list. */
  place?: number;
  /** The subject of the rule, apart from figures. */
  about?: string;
  /** See `circuitMark`. */
  circuit?: string;
  /** Why the circuit opened, failed a trial or closed. */
  circuitReason?: string;
}

/** The assessment of one rule on the facts. */
export type Breach = Pick<Assessment, 'colour' | 'reason' | 'trace_id' | 'about'>;

/** A written rule: the conditions of its colours, and the first thing to do. `make render` prints the runbook's tables from it. */
export interface LightRule<F> {
  rule: string;
  yellow?: string;
  red?: string;
  first: string;
  kind?: RuleKind;
  /** A figure gives the colour, so that the colour is left only when the figure has been better for a while. */
  figure?: true;
  assess: (facts: F) => Breach | undefined;
}

/** The place of a colour in the order from good to bad. */
export function rank(colour: Colour): number {
  return COLOURS.indexOf(colour);
}

export function worst(colours: Iterable<Colour>): Colour {
  let worst: Colour = 'GREEN';
  for (const colour of colours) if (rank(colour) > rank(worst)) worst = colour;
  return worst;
}

/** The worst breach of all rules; the first one if several are equal. */
export function assess<F>(rules: readonly LightRule<F>[], facts: F, fine: string): Assessment {
  let assessment: Assessment = { colour: 'GREEN', rule: 'within_limits', reason: fine };
  for (const [place, { rule, kind, figure, assess }] of rules.entries()) {
    const breach = assess(facts);
    if (breach && rank(breach.colour) > rank(assessment.colour)) {
      assessment = { rule, place, ...(kind ? { kind } : {}), ...(figure ? { figure } : {}), ...breach };
    }
  }
  return assessment;
}
