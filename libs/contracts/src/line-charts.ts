import { type Static, Type } from '@sinclair/typebox';
import { count, list, mapOf, nullable, time } from './fields';
import { signalType } from './signal';
import { version } from './version';

/** The steps of an hour. A step is as long as the window of a line's rate, so that both show the same figure. */
export const CHART = { stepMs: 10_000, steps: 360 } as const;

const LineChart = Type.Object({
  finished: list(count('Signals'), 'Signals that succeeded or failed in each step'),
  failed: list(count('Signals'), 'The failed ones among them'),
  waiting: list(
    nullable(count('Signals'), 'Null where andon has no figure'),
    'Signals without a worker in each step: queued, held or retrying',
  ),
});
/** The last hour of one line. */
export type LineChart = Static<typeof LineChart>;

/** gateway -> andon: asks for the last hour of the lines. */
export const ChartsRequest = Type.Object({
  type: Type.Optional(signalType('Only this line')),
});
export const ChartsReply = Type.Object({
  v: version(),
  step_ms: count('Length of a step'),
  from: time('When the first step began; each list has one entry for every step from here on'),
  lines: mapOf(LineChart, 'By signal type; lines without any figure are absent'),
  left_out: count('The quietest lines, if not all fit into one answer. Ask for each by its type'),
});
