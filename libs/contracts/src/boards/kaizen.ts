import { type Static, Type } from '@sinclair/typebox';
import { count, list, mapOf, ms, nullable, oneOf, percent, text, time } from '../fields';
import { SUGGESTION_RULES } from '../report';
import { version } from '../version';

/** Finished work, and what was counted apart: in no total and no rate, because no work on it was finished. */
const Counts = Type.Object({
  total_processed: count('success_count + error_count'),
  success_count: count('Succeeded'),
  error_count: count('Failed'),
  error_rate: percent('error_count in percent of total_processed'),
  rejected: count("The sender's fault"),
  expired: count('Not started in time'),
  cancelled: count('Taken back before the start'),
  retried: count('Attempts that failed and were tried again'),
});

/** Durations of one kind, in milliseconds. */
export const DurationFigures = Type.Object({
  avg_ms: ms('Mean'),
  p50_ms: ms('Median'),
  p95_ms: ms('95th percentile'),
  p99_ms: ms('99th percentile'),
  max_ms: ms('The longest'),
});
export type DurationFigures = Static<typeof DurationFigures>;

const efficiency = { flow_efficiency_percent: percent('Share of the work in work and waiting together') };

/** kaizen's view of the fleet: counts and true percentiles of all work, together and by type. */
export const KaizenBoard = Type.Composite(
  [
    Type.Object({ v: version() }),
    Counts,
    Type.Object({
      avg_duration_ms: ms('Mean of the work itself'),
      p95_duration_ms: ms('95th percentile of the work itself'),
      p99_duration_ms: ms('99th percentile of the work itself'),
      error_rate_5m: percent('error_rate over the last five minutes'),
      ...efficiency,
      superseded: count('Second final outcomes of a run, never in totals'),
      types: mapOf(
        Type.Composite([
          Counts,
          Type.Object({ ...efficiency, work: DurationFigures, wait: DurationFigures }),
        ]),
        'By signal type; types beyond the 256th are together in `_other`',
      ),
      since: nullable(
        Type.String({ format: 'date-time' }),
        'When the first outcome that is counted here was recorded, perhaps in a log that is gone; null before there is one',
      ),
      position: count('Position in the log up to which outcomes are counted'),
    }),
  ],
  { additionalProperties: true, description: 'Counts and true percentiles' },
);
export type KaizenBoard = Static<typeof KaizenBoard>;

/** An improvement that kaizen proposes for a type, with the facts behind it. */
export const Suggestion = Type.Object({
  signal_type: text('The type it is about'),
  rule: oneOf(SUGGESTION_RULES),
  standard: percent('Up to this percentage is all right'),
  actual: percent('The measured share'),
  signals: count('Signals behind it; for `rework`, attempts'),
  finding: text('The measured fact behind it'),
  suggestion: text('The proposed action'),
  trace_id: Type.Optional(text('One to look at')),
});
export type Suggestion = Static<typeof Suggestion>;

/** The improvements that kaizen proposes, from the facts of the last hour. */
export const SuggestionsReply = Type.Object(
  {
    v: version(),
    generated_at: time('Time of this answer'),
    from: time('Start of the time that was looked at'),
    items: list(Suggestion, 'Most important first'),
  },
  { additionalProperties: true, description: 'The improvements that kaizen proposes' },
);
