import type { LightRule } from '../assessment';
import type { LineFigures } from '../line-window';
import { colourOf } from '../thresholds';
import { type FlowLine, waitingFor } from './flow-line';

const LEAST_MS = 10_000;
/** A line moves slowly by its standard or by its rate: it stands still after three times as long as that. */
const TIMES = 3;

/** How long a line with work may start and finish nothing. */
function standstillMs({ standard_ms = 0, flow }: FlowLine): number {
  const intervalMs = flow.max_per_s ? 1_000 / flow.max_per_s : 0;
  return Math.max(LEAST_MS, TIMES * standard_ms, TIMES * intervalMs);
}

/** Something waits or is in progress, and nothing of the type starts or ends. */
export const STANDSTILL: LightRule<FlowLine & LineFigures> = {
  rule: 'standstill',
  figure: true,
  red:
    'signals wait or are in progress, the line is not stopped, and for 10 s (or 3 times the standard time, or 3 times the ' +
    'interval of max_per_s, if that is longer) none was started or finished',
  first:
    'Look at what the reason names. If another type has the slots, limit its cards (PUT /kanban/:type). If handlers hang, ' +
    'their attempts end at the time-out of the type: lower it, and let the handler obey its AbortSignal.',
  assess: (facts) => {
    const { flow, shown } = facts;
    const limitMs = standstillMs(facts);
    const colour = colourOf(flow.still_ms, { yellow: limitMs, red: limitMs }, { rule: 'standstill', shown });
    if (!colour) return undefined;
    const seconds = Math.round(flow.still_ms / 1_000);
    return {
      colour: 'RED',
      reason: `nothing was started or finished for ${seconds} s of ${limitMs / 1_000} s${waitingFor(flow)}`,
    };
  },
};
