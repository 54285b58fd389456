import type { LightRule } from '../assessment';
import type { LineFigures } from '../line-window';
import { colourOf } from '../thresholds';
import { type FlowLine, waitingFor } from './flow-line';

const PERCENT = { yellow: 1, red: 5 };
/** A share of fewer signals says little. */
const ENOUGH = 20;

/** Signals were offered and came to nothing: expired, cut off by their deadline, or refused for want of room. */
export const LOST: LightRule<FlowLine & Pick<LineFigures, 'expired' | 'cut_off'>> = {
  rule: 'lost',
  figure: true,
  yellow:
    `at least ${PERCENT.yellow} % of the signals offered in the last 5 minutes (at least ${ENOUGH}) expired, were cut off by ` +
    'their deadline, or were refused for want of room',
  red: `more than ${PERCENT.red} % of them`,
  first:
    'The line cannot do what is offered. See what the signals wait for (`waits_for` in GET /andon) and add workers or ' +
    'cards; or let the senders send less, or give their signals more time (timeout_ms).',
  assess: ({ flow, expired, cut_off, shown }) => {
    const { offered, full, lost_percent } = flow;
    if (offered < ENOUGH) return undefined;
    const colour = colourOf(lost_percent, PERCENT, { rule: 'lost', shown });
    if (!colour) return undefined;
    const causes = Object.entries({ expired, 'cut off': cut_off, refused: full })
      .filter(([, count]) => count > 0)
      .map(([cause, count]) => `${count} ${cause}`);
    const percent = Number(lost_percent.toFixed(1));
    return {
      colour,
      reason: `${causes.join(', ')} of ${offered} offered in 5 min (${percent} %)${waitingFor(flow)}`,
    };
  },
};
