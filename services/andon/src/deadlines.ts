import type { AndonCall, StopRecord } from '@tps/contracts';
import { withEvent, type Occasion, withStop } from './call-events';

/** An unanswered call escalates after so many times its time to respond. */
const ESCALATIONS = [1, 2, 4];

interface Escalation {
  level: number;
  /** The moment of the escalation, in milliseconds since 1970. */
  atMs: number;
}

/**
 * Lets the clock act on the open call: the call escalates while nobody acknowledges it, and it is unacknowledged again
 * when the ETA of its owner has passed. Every deadline is in the record, so that a late check (andon was away) finds each
 * step that is due, in order. Null when nothing is due.
 */
export function afterDeadlines(record: StopRecord, occasion: Occasion): StopRecord | null {
  let changed: StopRecord | null = null;
  for (;;) {
    const next = afterStep(changed ?? record, occasion);
    if (!next) return changed;
    changed = next;
  }
}

function afterStep(record: StopRecord, { at, light }: Occasion): StopRecord | null {
  const { call } = record;
  if (!call) return null;
  if (call.acknowledged_at) {
    const isLate = call.eta !== undefined && Date.parse(call.eta) <= at.getTime();
    return isLate ? expireEta(record, call, call.eta!, light) : null;
  }
  const next = nextEscalation(call);
  return next && next.atMs <= at.getTime() ? escalateCall(record, call, { ...next, light }) : null;
}

/** The next escalation of an unacknowledged call; null when all are over, or it has no time to respond. */
function nextEscalation(call: AndonCall): Escalation | null {
  const respondMs = call.respond_ms ?? respondMsBefore(call);
  // The version before had one escalation, and named no level.
  const reached = call.level ?? (call.escalated_at ? 1 : 0);
  const factor = ESCALATIONS[reached];
  if (!respondMs || !factor) return null;
  const sinceMs = Date.parse(call.unanswered_since ?? call.opened_at);
  return { level: reached + 1, atMs: sinceMs + factor * respondMs };
}

/** The time to respond of a call that the version before opened. */
function respondMsBefore({ respond_by, opened_at }: AndonCall): number | undefined {
  return respond_by ? Date.parse(respond_by) - Date.parse(opened_at) : undefined;
}

/** A call by people becomes a stop at its first escalation. Any other escalation only tells people again. */
function escalateCall(
  record: StopRecord,
  call: AndonCall,
  { level, atMs, light }: Escalation & Pick<Occasion, 'light'>,
): StopRecord {
  const at = new Date(atMs);
  const stopsAt = call.mode === 'call' ? call.respond_by : undefined;
  const next: AndonCall = { ...call, level, ...(stopsAt ? { mode: 'stop', escalated_at: stopsAt } : {}) };
  const after = stopsAt ? withStop(record, stopsAt) : record;
  return withEvent({ ...after, call: next }, 'escalated', { at, light, by: 'andon', more: { level } });
}

/** The call has no owner any more, and its time to respond begins anew. */
function expireEta(record: StopRecord, call: AndonCall, eta: string, light: Occasion['light']): StopRecord {
  const { owner: late_owner = 'nobody', acknowledged_at: _acknowledged, eta: _eta, ...open } = call;
  const at = new Date(eta);
  const respondMs = call.respond_ms ?? respondMsBefore(call) ?? 0;
  const isByPeople = call.mode === 'call' && !call.automatic && respondMs > 0;
  const next: AndonCall = {
    ...open,
    ...{ late_owner, overdue_at: eta },
    ...(respondMs > 0 ? { respond_ms: respondMs, unanswered_since: eta, level: 0 } : {}),
    ...(isByPeople ? { respond_by: new Date(at.getTime() + respondMs).toISOString() } : {}),
  };
  const reason = `${late_owner} expected to be done by now: ${call.reason}`;
  const more = { owner: late_owner, eta, reason };
  return withEvent({ ...record, call: next }, 'overdue', { at, light, by: 'andon', more });
}
