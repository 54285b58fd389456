import { Type } from '@sinclair/typebox';
import { oneOf, time } from './fields';

/** The formats of a production report. */
export const REPORT_FORMATS = ['json', 'markdown', 'csv'] as const;
/** One of REPORT_FORMATS. */
export type ReportFormat = (typeof REPORT_FORMATS)[number];

/** worker -> kaizen: a production report. */
export const ReportRequest = Type.Object({
  format: oneOf(REPORT_FORMATS),
  since_ms: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      description: 'Counts outcomes of the last so many milliseconds. Default: all that are known',
    }),
  ),
});
export const ReportReply = Type.Object({
  format: oneOf(REPORT_FORMATS),
  content: Type.Unsafe<object | string>(
    Type.Union([Type.Object({}), Type.String()], {
      description: 'An object for `json`, text for the others',
    }),
  ),
  generated_at: time('When it was made'),
});

/** Why something is worth improving; kaizen's `suggestions.ts` has the thresholds. */
export const SUGGESTION_RULES = ['failures', 'expiry', 'rework', 'rejects', 'waiting'] as const;
/** The rule that a suggestion comes from. */
export type SuggestionRule = (typeof SUGGESTION_RULES)[number];
