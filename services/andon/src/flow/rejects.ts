import type { LightRule } from '../assessment';
import type { LineFigures } from '../line-window';
import { colourOf } from '../thresholds';
import type { FlowLine } from './flow-line';

const PERCENT = 50;
/** A share of fewer signals says little. */
const ENOUGH = 20;

/** Most signals are their senders' fault, which no other rule tells. */
export const REJECTS: LightRule<Pick<FlowLine, 'shown'> & Pick<LineFigures, 'processed' | 'rejected'>> = {
  rule: 'rejects',
  figure: true,
  yellow: `more than ${PERCENT} % of the signals that handlers looked at in the last 5 minutes (at least ${ENOUGH}) were rejected`,
  first:
    'The senders are at fault: look at GET /signals?status=rejected&type=... for what their signals have in common, and tell ' +
    'them; or make the input schema of the type say what it takes.',
  assess: ({ processed, rejected, shown }) => {
    const looked = processed + rejected;
    const percent = looked === 0 ? 0 : (100 * rejected) / looked;
    // More than half: `colourOf` gives YELLOW from its first limit on.
    const limits = { yellow: PERCENT + 1e-9, red: Infinity };
    if (looked < ENOUGH || !colourOf(percent, limits, { rule: 'rejects', shown })) return undefined;
    const rounded = Number(percent.toFixed(1));
    return { colour: 'YELLOW', reason: `${rejected} of ${looked} rejected (${rounded} %)` };
  },
};
