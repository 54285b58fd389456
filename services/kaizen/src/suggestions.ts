import type { Suggestion, SuggestionRule } from '@tps/contracts';
import { percent } from './durations';
import type { Cause, Losses } from './findings';

/** As with the lights: fewer say nothing about a share. */
const MIN_SIGNALS = 20;
/** Waiting that nobody notices is no loss. */
const NOTICEABLE_WAIT_MS = 50;

interface Finding {
  /** How many signals or attempts the share is one of. */
  of: number;
  /** Percent, as `standard`. */
  actual: number;
  signals: number;
  finding: string;
  suggestion: string;
  trace_id?: string | undefined;
}
interface Rule {
  /** Percent that is not worth a suggestion yet. */
  standard: number;
  find: (type: string, losses: Losses) => Finding;
}

const RULES: Record<SuggestionRule, Rule> = {
  failures: {
    standard: 1,
    find: (type, { failed, processed, causes }) => {
      const [count, cause] = commonest(causes.failed);
      return {
        of: processed,
        actual: percent(failed, processed),
        signals: failed,
        finding: `${failed} of ${processed} failed, ${count} of them alike: ${cause?.message}`,
        suggestion: `Remove this cause first, then run them again: POST /kanban/dead/redrive {"filter": {"type": "${type}"}}.`,
        trace_id: cause?.trace_id,
      };
    },
  },
  expiry: {
    standard: 1,
    find: (type, { expired, processed }) => ({
      of: processed + expired,
      actual: percent(expired, processed + expired),
      signals: expired,
      finding: `${expired} of ${processed + expired} were not started within their timeout_ms.`,
      suggestion: `Give ${type} more slots or cards, let its senders spread their bursts, or give it a longer timeout_ms.`,
    }),
  },
  rework: {
    standard: 5,
    find: (_type, { retried, processed, reworkMs }) => ({
      of: processed + retried,
      actual: percent(retried, processed + retried),
      signals: retried,
      finding: `${retried} attempts failed and were tried again: ${Math.round(reworkMs)} ms of work for nothing.`,
      suggestion: `Find what the failed attempts share (GET /signals?status=retrying, and the traces): a retry hides a cause, it removes none.`,
    }),
  },
  rejects: {
    standard: 10,
    find: (type, { rejected, processed, causes }) => {
      const [count, cause] = commonest(causes.rejected);
      return {
        of: processed + rejected,
        actual: percent(rejected, processed + rejected),
        signals: rejected,
        finding: `${rejected} of ${processed + rejected} were rejected, ${count} of them alike: ${cause?.message}`,
        suggestion: `Tell the senders of ${type}, or say it in the input schema of the type: then the gateway refuses it at once.`,
        trace_id: cause?.trace_id,
      };
    },
  },
  waiting: {
    standard: 50,
    find: (type, { workMs, waitMs, processed, longestWait }) => {
      const noticed = waitMs / processed >= NOTICEABLE_WAIT_MS;
      return {
        of: processed,
        actual: noticed ? percent(waitMs, waitMs + workMs) : 0,
        signals: processed,
        finding: `A signal waits ${mean(waitMs, processed)} ms for ${mean(workMs, processed)} ms of work.`,
        suggestion: `Let more of ${type} run at once: its cards if it has a limit (GET /kanban shows what is advised), else more slots (GET /heijunka: workers_needed).`,
        trace_id: longestWait?.trace_id,
      };
    },
  },
};

/** What to improve first: the rule that is broken most, measured in multiples of its standard, comes first. */
export function suggestionsFor(lost: Map<string, Losses>): Suggestion[] {
  const found: Suggestion[] = [];
  for (const [signal_type, losses] of lost) {
    for (const [rule, { standard, find }] of Object.entries(RULES) as [SuggestionRule, Rule][]) {
      const { of, trace_id, ...finding } = find(signal_type, losses);
      if (of < MIN_SIGNALS || finding.actual <= standard) continue;
      found.push({ signal_type, rule, standard, ...finding, ...(trace_id ? { trace_id } : {}) });
    }
  }
  return found.sort((a, b) => b.actual / b.standard - a.actual / a.standard);
}

function commonest(causes: Map<string, Cause>): [count: number, cause: Cause | undefined] {
  const [first] = [...causes.values()].sort((a, b) => b.count - a.count);
  return [first?.count ?? 0, first];
}

function mean(sum: number, count: number): number {
  return Math.round(sum / count);
}
