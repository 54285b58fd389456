import { type Static, Type } from '@sinclair/typebox';
import {
  CircuitState,
  Colour,
  count,
  KaizenBoard,
  KanbanBoard as Kanban,
  list,
  mapOf,
  nullable,
  percent,
  REQUESTS,
  text,
  time,
} from '@tps/contracts';

const BoardSummary = Type.Object({
  colour: Colour,
  summary: text('The colour and what is wrong, in one sentence'),
  wrong: list(
    Type.Object({
      name: text('A signal type, or `station <service>`'),
      colour: Colour,
      rule: text('The rule that gave the colour'),
      reason: text('Why, in words'),
      since: time('Since when it has this colour'),
    }),
    'Lines and stations that are not GREEN, RED first',
  ),
});
export type BoardSummary = Static<typeof BoardSummary>;

export const Health = Type.Object({
  healthy: Type.Boolean(),
  circuit_state: CircuitState,
  queue_depth: count('Accepted and unfinished'),
  active_workers: count('Slots of living workers'),
  error_rate: percent('Percent over 5 minutes'),
  timestamp: time('Time of this answer'),
  reasons: Type.Array(Type.String(), { description: 'Why it is not healthy' }),
  circuits: mapOf(
    Type.Object({
      state: CircuitState,
      reason: Type.Optional(Type.String()),
      since: Type.Optional(Type.String()),
      andon_id: Type.Optional(Type.String()),
    }),
  ),
  stations: mapOf(Type.Object({ up: Type.Boolean(), replicas: count('Ready ones') })),
  board: nullable(
    BoardSummary,
    'State of the board. `healthy` is about the processes and circuits: a healthy fleet may have a RED line. Null while andon does not answer',
  ),
});
export type HealthReport = Static<typeof Health>;

export const Live = Type.Object({ live: Type.Literal(true) });

export const Ready = Type.Object({
  ready: Type.Boolean(),
  reasons: Type.Optional(Type.Array(Type.String(), { description: 'Why it is not ready' })),
});

export const Metrics = KaizenBoard;

export const Info = Type.Object({
  name: Type.String(),
  version: Type.String(),
  uptime_secs: count('Seconds since this gateway started'),
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

export const Suggestions = REQUESTS.suggestions.reply;

export const KanbanBoard = Type.Object({
  ...Kanban.properties,
  stale: Type.Optional(
    Type.Boolean({
      description: 'kanban does not answer: `backup` is as it is now, the rest as it was last',
    }),
  ),
});
export { HeijunkaBoard, JidokaBoard, KaizenBoard } from '@tps/contracts';

export const Board = Type.Object({}, { additionalProperties: true, description: "The service's own view" });
