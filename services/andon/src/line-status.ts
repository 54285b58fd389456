import {
  type CircuitRecord,
  type CircuitState,
  isOpen,
  type KanbanBoard,
  type LineStatus,
  stateOfLine,
} from '@tps/contracts';
import { cardsOf, queueOf } from './kanban-figures';
import { ENOUGH, type LineFacts } from './light-rules';

/** The parts of the status of one line. */
export interface LineSources {
  /** The light, as it is shown. */
  light: Pick<LineStatus, 'colour' | 'rule' | 'reason' | 'since' | 'trace_id' | 'andon_id'>;
  facts: LineFacts;
  /** The state of the circuit and the people together. */
  circuit: CircuitState;
  record: CircuitRecord | undefined;
  /** Signals that the living gateways refused in the last five minutes. */
  refused: number;
  /** The figures of the queue; null while kanban does not answer. */
  kanban: KanbanBoard | null;
}

/** The status of a line, made of parts that agree with each other. */
export function lineStatus(line: string, sources: LineSources, nowMs: number): LineStatus {
  const { light, facts, circuit, record, refused, kanban } = sources;
  const { error_rate, p99_ms, standard_ms = null, processed, failed, rate_per_s, stopped, served } = facts;
  const next_trial_at = stopped ? undefined : nextTrial(record, nowMs);
  return {
    ...light,
    reason: light.rule === 'within_limits' ? (tooFew(facts) ?? light.reason) : light.reason,
    state: stateOfLine({ circuit, stopped, served }),
    ...{
      error_rate,
      p99_ms,
      standard_ms,
      processed_5m: processed,
      failed_5m: failed,
      judged_from: ENOUGH,
      rate_per_s,
    },
    refused_5m: refused,
    ...flowStatus(facts),
    ...(next_trial_at ? { next_trial_at } : {}),
    ...{ circuit, stopped },
    queue: kanban && queueOf(kanban, line),
    cards: kanban && cardsOf(kanban, line),
  };
}

function flowStatus({ flow, expired, cut_off, wait_p95_ms }: LineFacts): Partial<LineStatus> {
  const { oldest_ms, max_wait_ms, waits_for, offered_per_s, lost_percent } = flow;
  return {
    ...{ expired_5m: expired, cut_off_5m: cut_off, lost_percent, offered_per_s },
    ...{ oldest_age_ms: oldest_ms, max_wait_ms, wait_p95_ms },
    ...(waits_for ? { waits_for } : {}),
  };
}

/** A rate of three signals gives no colour, so GREEN does not mean that it is within the limits. */
function tooFew({ processed }: LineFacts): string | undefined {
  if (processed >= ENOUGH) return undefined;
  if (processed === 0) return 'nothing finished in the last 5 minutes';
  return `too few to assess: ${processed} of ${ENOUGH} signals in 5 minutes`;
}

function nextTrial(record: CircuitRecord | undefined, nowMs: number): string | undefined {
  if (!record || !isOpen(record) || record.latch || !record.until) return undefined;
  return Date.parse(record.until) > nowMs ? record.until : undefined;
}
