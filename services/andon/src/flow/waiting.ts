import type { LightRule } from '../assessment';
import type { LineFigures } from '../line-window';
import { colourOf } from '../thresholds';
import type { FlowLine } from './flow-line';

/** RED begins at so many times the wait that the type allows. */
const RED = 2.5;

/**
 * The oldest signal waits too long. The line is RED before the oldest has waited 2.5 times as long as it may if the queue
 * shows that the last one will: at 80 signals offered to a capacity of 30 that is known 5 s earlier.
 */
export const WAITING: LightRule<FlowLine & Pick<LineFigures, 'pace_per_s'>> = {
  rule: 'waiting',
  figure: true,
  yellow:
    "the oldest signal that is neither held nor in its backoff has waited longer than the type's `maxWaitMs` (by default " +
    'ten times the standard time, and 2 s at least)',
  red: `it has waited ${RED} times as long, or the last one will at the present pace`,
  first:
    'The reason says what they wait for. All slots busy: add workers, or limit the cards of the type that has them. Cards ' +
    'or max_per_s: raise the limit (PUT /kanban/:type, PUT /heijunka/:type).',
  assess: ({ flow, pace_per_s, shown }) => {
    const { oldest_ms, max_wait_ms, waiting, waits_for } = flow;
    if (oldest_ms === null) return undefined;
    const limits = { yellow: max_wait_ms, red: max_wait_ms * RED };
    const given = { rule: 'waiting', shown };
    if (!colourOf(oldest_ms, limits, given)) return undefined;
    const expectedMs = pace_per_s ? (1_000 * waiting) / pace_per_s : 0;
    const colour = colourOf(Math.max(oldest_ms, expectedMs), limits, given);
    if (!colour) return undefined;
    const ahead =
      colour === 'RED' && expectedMs > oldest_ms
        ? `; the last will wait ${seconds(expectedMs)} at ${Number(pace_per_s!.toFixed(1))}/s`
        : '';
    const cause = waits_for ? `; ${waits_for}` : '';
    return {
      colour,
      reason: `${waiting} wait, oldest ${seconds(oldest_ms)} of ${seconds(max_wait_ms)}${cause}${ahead}`,
    };
  },
};

function seconds(ms: number): string {
  return `${Number((ms / 1_000).toFixed(1))} s`;
}
