import { type Colour, COLOURS } from '@tps/contracts';

/** A colour and what gave it. */
export interface Verdict {
  colour: Colour;
  rule: string;
  reason: string;
  trace_id?: string;
}

/** What one rule says of the facts. */
export type Finding = Omit<Verdict, 'rule'>;

/** A written rule: what gives which colour, and what to do first. The runbook is printed from it. */
export interface Rule<F> {
  rule: string;
  yellow?: string;
  red?: string;
  first: string;
  judge: (facts: F) => Finding | undefined;
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

/** The worst that any rule finds. */
export function judge<F>(rules: readonly Rule<F>[], facts: F, fine: string): Verdict {
  let verdict: Verdict = { colour: 'GREEN', rule: 'within_limits', reason: fine };
  for (const { rule, judge } of rules) {
    const finding = judge(facts);
    if (finding && rank(finding.colour) > rank(verdict.colour)) verdict = { rule, ...finding };
  }
  return verdict;
}
