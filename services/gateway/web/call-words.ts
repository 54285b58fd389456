import type { OpenCall } from '@tps/contracts';
import { age, clock, words } from './format.js';

/** Describes a call in words. @param state the word for what its line does */
export function describeCall(call: OpenCall, state: string, nowMs: number): string {
  const { by, rule, respond_by, acknowledged_at, stopped, level = 0, pulls = [], age_ms } = call;
  const waits = respond_by !== undefined && !acknowledged_at && !stopped;
  const stops = waits
    ? `, to be stopped in ${age(Date.parse(respond_by) - nowMs)} if nobody acknowledges`
    : '';
  const others = pulls.length > 1 ? ` and ${pulls.length - 1} more` : '';
  const escalated =
    level > 0 && !acknowledged_at ? ` Escalated ${level} ${level === 1 ? 'time' : 'times'}.` : '';
  return `${state}${stops}. Called by ${by}${others} ${age(age_ms)} ago (${words(rule)}).${escalated}${before(call, nowMs)}`;
}

/** Names the countermeasure that did not hold. */
function before({ recurrences, last_countermeasure: last }: OpenCall, nowMs: number): string {
  if (recurrences === 0) return '';
  const times = recurrences === 1 ? 'a countermeasure' : `${recurrences} countermeasures`;
  const text = last ? `: “${last.text}” (${last.owner}, ${clock(last.at, nowMs)})` : '';
  return ` It came back after ${times}${text}.`;
}

/** Names the owner of a call, and the time at which the owner expects to be done. */
export function ownerOf(
  call: Pick<OpenCall, 'owner' | 'eta' | 'late_owner'> | undefined,
  nowMs: number,
): string {
  if (!call?.owner) {
    return call?.late_owner
      ? `${call.late_owner} is late: nobody looks after it now.`
      : 'Nobody looks after it yet.';
  }
  return `${call.owner} looks after it${call.eta ? `, until ${clock(call.eta, nowMs)}` : ''}.`;
}
