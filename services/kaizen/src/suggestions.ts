import type { Suggestion, SuggestionRule } from '@tps/contracts';
import { percent } from './durations';
import type { FailureGroup, TypeLosses } from './loss-window';

/** A percentage of fewer signals says nothing. The lights of andon have the same minimum. */
const MIN_SIGNALS = 20;
/** A shorter mean wait is not worth a suggestion, however short the work is. */
const NOTICEABLE_WAIT_MS = 50;

interface Measurement {
  /** The number of signals or attempts that `actual` is a percentage of. */
  of: number;
  /** Percent, as `standard`. */
  actual: number;
  signals: number;
  finding: string;
  suggestion: string;
  trace_id?: string | undefined;
}
interface SuggestionThreshold {
  /** Up to this percentage there is nothing to suggest. */
  standard: number;
  measure: (type: string, losses: TypeLosses) => Measurement;
}

const THRESHOLDS: Record<SuggestionRule, SuggestionThreshold> = {
  failures: {
    standard: 1,
    measure: (type, { failed, processed, groups }) => {
      const [count, group] = largest(groups.failed);
      return {
        of: processed,
        actual: percent(failed, processed),
        signals: failed,
        finding: `${failed} of ${processed} failed, ${count} of them alike: ${group?.message}`,
        suggestion: `Remove this cause first, then requeue them: POST /kanban/dead/redrive {"filter": {"type": "${type}"}}.`,
        trace_id: group?.trace_id,
      };
    },
  },
  expiry: {
    standard: 1,
    measure: (type, { expired, processed }) => ({
      of: processed + expired,
      actual: percent(expired, processed + expired),
      signals: expired,
      finding: `${expired} of ${processed + expired} were not started within their timeout_ms.`,
      suggestion: `Give ${type} more slots or cards, let its senders spread their bursts, or give it a longer timeout_ms.`,
    }),
  },
  rework: {
    standard: 5,
    measure: (_type, { retried, processed, reworkMs }) => ({
      of: processed + retried,
      actual: percent(retried, processed + retried),
      signals: retried,
      finding: `${retried} attempts failed and were retried: ${Math.round(reworkMs)} ms of work for nothing.`,
      suggestion: `Find what the failed attempts share (GET /signals?status=retrying, and the traces): a retry hides a cause and does not remove it.`,
    }),
  },
  rejects: {
    standard: 10,
    measure: (type, { rejected, processed, groups }) => {
      const [count, group] = largest(groups.rejected);
      return {
        of: processed + rejected,
        actual: percent(rejected, processed + rejected),
        signals: rejected,
        finding: `${rejected} of ${processed + rejected} were rejected, ${count} of them alike: ${group?.message}`,
        suggestion: `Tell the senders of ${type}, or state it in the input schema of the type: the gateway then refuses such signals at once.`,
        trace_id: group?.trace_id,
      };
    },
  },
  waiting: {
    standard: 50,
    measure: (type, { workMs, waitMs, processed, longestWait }) => {
      const noticed = waitMs / processed >= NOTICEABLE_WAIT_MS;
      return {
        of: processed,
        actual: noticed ? percent(waitMs, waitMs + workMs) : 0,
        signals: processed,
        finding: `A signal waits ${mean(waitMs, processed)} ms for ${mean(workMs, processed)} ms of work.`,
        suggestion: `Let more of ${type} run at once: raise its cards if they are limited (GET /kanban shows the advice), else add slots (GET /heijunka: workers_needed).`,
        trace_id: longestWait?.trace_id,
      };
    },
  },
};

/** Suggestions in the order of urgency: by the ratio of the measured percentage to its standard. */
export function suggestionsFor(lossesByType: Map<string, TypeLosses>): Suggestion[] {
  const suggestions: Suggestion[] = [];
  for (const [signal_type, losses] of lossesByType) {
    for (const [name, { standard, measure }] of Object.entries(THRESHOLDS)) {
      const rule = name as SuggestionRule;
      const { of, trace_id, ...measurement } = measure(signal_type, losses);
      if (of < MIN_SIGNALS || measurement.actual <= standard) continue;
      suggestions.push({ signal_type, rule, standard, ...measurement, ...(trace_id ? { trace_id } : {}) });
    }
  }
  return suggestions.sort((a, b) => b.actual / b.standard - a.actual / a.standard);
}

function largest(groups: Map<string, FailureGroup>): [count: number, group: FailureGroup | undefined] {
  const [first] = [...groups.values()].sort((a, b) => b.count - a.count);
  return [first?.count ?? 0, first];
}

function mean(sum: number, count: number): number {
  return Math.round(sum / count);
}
