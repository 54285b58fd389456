import { type Static, Type } from '@sinclair/typebox';
import { SUGGESTION_RULES } from '@tps/contracts';
import { count, ms, oneOf, percent, text, time } from './fields';

const CIRCUIT_STATE = oneOf(['Closed', 'HalfOpen', 'Open']);
export const Health = Type.Object({
  healthy: Type.Boolean(),
  circuit_state: CIRCUIT_STATE,
  queue_depth: count('Accepted and unfinished'),
  active_workers: count('Slots of living workers'),
  error_rate: percent('Percent over 5 minutes'),
  timestamp: time('Of this answer'),
  reasons: Type.Array(Type.String(), { description: 'Why it is not healthy' }),
  circuits: Type.Record(
    Type.String(),
    Type.Object({
      state: CIRCUIT_STATE,
      reason: Type.Optional(Type.String()),
      since: Type.Optional(Type.String()),
      andon_id: Type.Optional(Type.String()),
    }),
  ),
  stations: Type.Record(Type.String(), Type.Object({ up: Type.Boolean(), replicas: count('Ready ones') })),
});
export type HealthReport = Static<typeof Health>;

const counts = {
  total_processed: count('success_count + error_count'),
  success_count: count('Succeeded'),
  error_count: count('Failed'),
  error_rate: percent('error_count in percent of total_processed'),
};
const asides = {
  rejected: Type.Optional(count("The sender's fault")),
  expired: Type.Optional(count('Not started in time')),
  cancelled: Type.Optional(count('Taken back before the start')),
};
const Figures = Type.Object({ avg_ms: ms(''), p50_ms: ms(''), p95_ms: ms(''), p99_ms: ms('') });
export const Metrics = Type.Object(
  {
    ...counts,
    avg_duration_ms: ms('The work itself'),
    p95_duration_ms: ms('The work itself'),
    p99_duration_ms: ms('The work itself'),
    error_rate_5m: Type.Optional(percent('Over 5 minutes')),
    flow_efficiency_percent: Type.Optional(percent('Share of the work in work and waiting together')),
    ...asides,
    superseded: Type.Optional(count('Second outcomes of a run, never in totals')),
    types: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Object({ ...counts, ...asides, work: Figures, wait: Figures }, { additionalProperties: true }),
      ),
    ),
  },
  { additionalProperties: true },
);

export const Info = Type.Object({
  name: Type.String(),
  version: Type.String(),
  uptime_secs: count('Of this gateway'),
  instance: Type.String(),
  environment: Type.String(),
  signal_types: Type.Array(Type.String()),
  traces_url: Type.Optional(
    Type.String({ description: 'Where people look at traces: the id goes in the place of `{trace_id}`' }),
  ),
  config: Type.Object({
    num_workers: count('Slots of one worker process'),
    worker_processes: count('Worker processes that are started'),
    http_port: count(''),
    metrics_port: Type.Union([Type.Integer(), Type.Literal('disabled')]),
    kanban_buffer: count('Most that is accepted and unfinished'),
    cb_threshold: count('Failures that open a circuit'),
    cb_timeout_secs: count('Pause before the first trial'),
    rate_limit: count('Per minute and client; 0: none'),
    auth_enabled: Type.Boolean(),
  }),
});
export type InfoReport = Static<typeof Info>;

export const Status = Type.Object({
  status: Type.Literal('running'),
  health: Health,
  metrics: Type.Union([Metrics, Type.Null()]),
});

export const Suggestions = Type.Object(
  {
    generated_at: time('Of this answer'),
    from: time('What lies before is not looked at'),
    items: Type.Array(
      Type.Object({
        signal_type: text('The type it is about'),
        rule: oneOf(SUGGESTION_RULES),
        standard: percent('Up to so many percent are all right'),
        actual: percent('What it was'),
        signals: count('How many signals it is about; `rework`: attempts'),
        finding: text('What was found'),
        suggestion: text('What to do about it'),
        trace_id: Type.Optional(text('One to look at')),
      }),
    ),
  },
  { additionalProperties: true, description: 'What to improve' },
);

export const Board = Type.Object({}, { additionalProperties: true, description: "The service's own view" });
