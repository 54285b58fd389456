import type { AndonBoard, Colour, LineStatus } from '@tps/contracts';
import { age, clock, number, words } from './format.js';

const STATES: Record<NonNullable<LineStatus['state']>, string> = {
  running: 'Running',
  trial: 'Trial',
  no_worker: 'No worker',
  stopped: 'Stopped',
};

type State = Pick<LineStatus, 'state' | 'circuit' | 'stopped'>;

/** The one word for what a line does. An andon of the version before does not send `state`. */
export function stateWord({ state, circuit, stopped }: State): string {
  if (state) return STATES[state];
  if (stopped || circuit === 'Open') return STATES.stopped;
  return circuit === 'Closed' ? STATES.running : STATES.trial;
}

/** Whether a line has too few signals for a rate to give a colour. */
function tooFew({ processed_5m, judged_from = 0 }: Errors): boolean {
  return processed_5m < judged_from;
}

/** Writes errors as a rate if the rate gives a colour, otherwise as counts, so that they never contradict the colour. */
export function errorsOf(line: Errors): string {
  const { processed_5m, failed_5m, error_rate } = line;
  if (processed_5m === 0) return '–';
  return tooFew(line) && failed_5m !== undefined
    ? `${failed_5m} of ${processed_5m} failed`
    : `${number(error_rate)} %`;
}
type Errors = Pick<LineStatus, 'processed_5m' | 'failed_5m' | 'error_rate' | 'judged_from'>;

/** Says what a line does, and what its colour means. */
export function sentence(line: LineStatus, nowMs: number): string {
  const word = stateWord(line);
  if (line.colour !== 'GREEN') {
    const rule = words(line.rule);
    const why = rule === word.toLowerCase() ? '' : ` (${rule})`;
    return `${word}; ${line.colour} for ${age(nowMs - Date.parse(line.since))}${why}.`;
  }
  if (word !== STATES.running) return `${word}.`;
  if (line.processed_5m === 0) return `${word}; nothing finished in 5 min.`;
  if (tooFew(line)) return `${word}; too few to judge (${line.processed_5m} of ${line.judged_from}).`;
  // Without a standard time nothing judges the time of the work.
  return `${word}, all within limits${line.standard_ms === null ? '; no standard time' : ''}.`;
}

/** Says when the circuit lets the next signal through, and how many signals were refused. */
export function facts({ next_trial_at, refused_5m }: Stop, nowMs: number): string {
  const leftMs = next_trial_at ? Date.parse(next_trial_at) - nowMs : 0;
  const trial = next_trial_at
    ? [`Next trial ${leftMs > 0 ? `in ${age(leftMs)}` : 'now'}, at ${clock(next_trial_at, nowMs)}.`]
    : [];
  const refused = refused_5m ? [`${number(refused_5m)} refused in 5 min.`] : [];
  return [...trial, ...refused].join(' ');
}
type Stop = Pick<LineStatus, 'next_trial_at' | 'refused_5m'>;

/** Counts the signals without a worker, by what they wait for. */
export function waitingText(queue: LineStatus['queue']): string {
  if (!queue) return '–';
  const { counts } = queue;
  if (!counts) return `${queue.waiting}${queue.held ? ' held' : ''}`;
  const { queued, held, retrying } = counts;
  const parts = Object.entries({ queued, held, retrying }).filter(([, count]) => count > 0);
  return parts.map(([word, count]) => `${count} ${word}`).join(', ') || '0';
}

/** Counts the signals in a slot, and those delivered to a worker whose slots are taken. */
export function workingText(queue: LineStatus['queue']): string {
  if (!queue) return '–';
  const { counts } = queue;
  if (!counts) return String(queue.in_progress);
  const { running, in_flight } = counts;
  return in_flight > running ? `${running} + ${in_flight - running} next` : String(running);
}

/** Counts all signals without a worker, for the chart. */
export function waitingCount(queue: LineStatus['queue']): number | null {
  if (!queue) return null;
  const { counts, waiting } = queue;
  return counts ? counts.queued + counts.held + counts.retrying : waiting;
}

const RANK: Record<Colour, number> = { RED: 0, YELLOW: 1, GREEN: 2 };

/** RED first, then YELLOW, then what has work, then the idle lines; by name within each. */
export function linesInOrder(lines: AndonBoard['lines']): string[] {
  const rank = ({ colour, processed_5m, queue }: LineStatus): number => {
    const works = processed_5m > 0 || (queue && queue.waiting + queue.in_progress > 0);
    return RANK[colour] + (colour === 'GREEN' && !works ? 1 : 0);
  };
  return Object.keys(lines).sort((a, b) => rank(lines[a]!) - rank(lines[b]!) || (a < b ? -1 : 1));
}

/** Sums up the lines in one phrase for the header. */
export function linesText(lines: readonly State[]): string {
  if (lines.length === 0) return 'no lines';
  const count = (word: string): number => lines.filter((line) => stateWord(line) === word).length;
  const parts = Object.entries({
    stopped: count(STATES.stopped),
    'without workers': count(STATES.no_worker),
    'on trial': count(STATES.trial),
  }).filter(([, number]) => number > 0);
  if (parts.length === 0) return lines.length === 1 ? 'the line runs' : `all ${lines.length} lines run`;
  const named = parts.map(([text, number]) => `${number} ${text}`).join(', ');
  return `${lines.length} ${lines.length === 1 ? 'line' : 'lines'}: ${named}`;
}
