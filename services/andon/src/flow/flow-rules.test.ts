import { assess } from '../assessment';
import { sampleFacts, sampleFlow } from '../line-facts.fixture';
import { LINE_RULES, type LineFacts } from '../light-rules';
import type { FlowFacts } from './flow-facts';

const judge = (given: Partial<LineFacts>, flow: Partial<FlowFacts> = {}) =>
  assess(LINE_RULES, sampleFacts({ ...given, flow: sampleFlow(flow) }), 'fine');
const queue = (oldest_ms: number, waiting = 1): Partial<FlowFacts> => ({ oldest_ms, waiting });
const shown = (colour: 'YELLOW' | 'RED', rule: string): Partial<LineFacts> => ({ shown: { colour, rule } });

test.each<[what: string, facts: Partial<LineFacts>, flow: Partial<FlowFacts>, light: string]>([
  ['a wait within the limit', {}, queue(1_999), 'GREEN within_limits'],
  ['a wait at the limit', {}, queue(2_000), 'YELLOW waiting'],
  ['a wait of 2.5 times the limit', {}, queue(5_000), 'YELLOW waiting'],
  ['a longer wait', {}, queue(5_001), 'RED waiting'],
  ['a limit of its own', {}, { ...queue(5_001), max_wait_ms: 60_000 }, 'GREEN within_limits'],
  ['a queue whose last one is in time', { pace_per_s: 30 }, queue(2_500, 140), 'YELLOW waiting'],
  ['a queue whose last one will be late', { pace_per_s: 30 }, queue(2_500, 160), 'RED waiting'],
  ['a long queue that moves fast', { pace_per_s: 30 }, queue(1_900, 160), 'GREEN within_limits'],
  ['a pause within the limit', {}, { still_ms: 9_999 }, 'GREEN within_limits'],
  ['a standstill', {}, { still_ms: 10_001 }, 'RED standstill'],
  ['slow work within its standard', { standard_ms: 20_000 }, { still_ms: 59_000 }, 'GREEN within_limits'],
  ['slow work beyond it', { standard_ms: 20_000 }, { still_ms: 60_001 }, 'RED standstill'],
  ['a slow rate', {}, { still_ms: 29_000, max_per_s: 0.1 }, 'GREEN within_limits'],
  ['a rate that stands still', {}, { still_ms: 30_001, max_per_s: 0.1 }, 'RED standstill'],
  ['too few to lose a share', {}, { offered: 19, lost_percent: 100 }, 'GREEN within_limits'],
  ['a loss below 1 %', {}, { lost_percent: 0.99 }, 'GREEN within_limits'],
  ['a loss of 1 %', {}, { lost_percent: 1 }, 'YELLOW lost'],
  ['a loss of 5 %', {}, { lost_percent: 5 }, 'YELLOW lost'],
  ['a loss above 5 %', {}, { lost_percent: 5.1 }, 'RED lost'],
  ['half of the signals rejected', { processed: 10, rejected: 10 }, {}, 'GREEN within_limits'],
  ['most of them rejected', { processed: 9, rejected: 11 }, {}, 'YELLOW rejects'],
  ['all of them rejected', { processed: 0, rejected: 20 }, {}, 'YELLOW rejects'],
  ['too few of them', { processed: 0, rejected: 19 }, {}, 'GREEN within_limits'],
  ['nothing moves and all waits', {}, { ...queue(60_000), still_ms: 20_000 }, 'RED standstill'],
  ['loss while all waits', {}, { ...queue(60_000), lost_percent: 50 }, 'RED lost'],
])('%s', (_, facts, flow, light) => {
  const { colour, rule } = judge(facts, flow);
  expect(`${colour} ${rule}`).toBe(light);
});

test.each<[colour: 'YELLOW' | 'RED', rule: string, facts: Partial<LineFacts>, flow: Partial<FlowFacts>]>([
  ['YELLOW', 'waiting', {}, queue(1_600)],
  ['RED', 'waiting', {}, queue(4_001)],
  ['RED', 'standstill', {}, { still_ms: 8_001 }],
  ['YELLOW', 'lost', {}, { lost_percent: 0.81 }],
  ['RED', 'lost', {}, { lost_percent: 4.1 }],
  ['YELLOW', 'rejects', { processed: 55, rejected: 45 }, {}],
])('%s by %s stays down to 80 %% of its threshold', (colour, rule, facts, flow) => {
  expect(judge({ ...facts, ...shown(colour, rule) }, flow)).toMatchObject({ colour, rule });
  expect(judge(facts, flow).colour).not.toBe(colour);
});

test.each<[facts: Partial<LineFacts>, flow: Partial<FlowFacts>, reason: string]>([
  [
    {},
    { ...queue(25_400, 796), waits_for: 'all 4 slots busy' },
    '796 wait, oldest 25.4 s of 2 s; all 4 slots busy',
  ],
  [
    { pace_per_s: 30.61 },
    { ...queue(3_000, 796), waits_for: 'all 4 slots busy' },
    '796 wait, oldest 3 s of 2 s; all 4 slots busy; the last will wait 26 s at 30.6/s',
  ],
  [
    {},
    { still_ms: 11_200, waiting: 3, waits_for: 'all 4 slots busy (hog has 4)' },
    'nothing was started or finished for 11 s of 10 s; 3 wait: all 4 slots busy (hog has 4)',
  ],
  [{}, { still_ms: 11_200 }, 'nothing was started or finished for 11 s of 10 s'],
  [
    { expired: 12, cut_off: 1 },
    { offered: 200, full: 4, lost_percent: 8.5, waiting: 2, waits_for: 'its 1 card is busy' },
    '12 expired, 1 cut off, 4 refused of 200 offered in 5 min (8.5 %); 2 wait: its 1 card is busy',
  ],
  [{ processed: 1, rejected: 29 }, {}, '29 of 30 rejected (96.7 %)'],
])('the reason names figures and cause: %j %j', (facts, flow, reason) => {
  expect(judge(facts, flow).reason).toBe(reason);
});
