import { type FlowFacts } from './flow/flow-facts';
import { LineWindow } from './line-window';
import type { LineFacts } from './light-rules';

/** The flow of a line on which nothing waits. */
export function sampleFlow(given: Partial<FlowFacts> = {}): FlowFacts {
  return {
    ...{ waiting: 0, oldest_ms: null, max_wait_ms: 2_000, still_ms: 0 },
    ...{ offered: 100, full: 0, offered_per_s: 1, lost_percent: 0 },
    ...given,
  };
}

/** The facts of a line that breaks no rule. */
export function sampleFacts(given: Partial<LineFacts> = {}): LineFacts {
  return {
    ...new LineWindow().figures(0),
    ...{ processed: 100, p99_ms: 50, rate_per_s: 1 },
    ...{ circuit: 'Closed', latched: false, stopped: false, served: true, failing: [], deaf: 0 },
    flow: sampleFlow(),
    ...given,
  };
}
