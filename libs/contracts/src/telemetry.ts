interface MetricFacts {
  name: string;
  /** The help text in Prometheus: the measured thing, and the meaning of its values. */
  help: string;
  labelNames?: readonly string[];
}

/**
 * The metrics of the fleet's own services, as alerts and dashboards know them. Code that registers one spreads its facts
 * into the options of prom-client.
 */
export const METRICS = {
  signalsProcessed: {
    name: 'tps_signals_processed',
    help: 'Signals that succeeded or failed, fleet-wide',
  },
  errorRate: {
    name: 'tps_error_rate',
    help: 'Failed signals in percent of processed ones, over 5 minutes, fleet-wide',
  },
  queueDepth: {
    name: 'tps_queue_depth',
    help: 'Signals accepted and unfinished, fleet-wide',
  },
  oldestWait: {
    name: 'tps_oldest_wait_seconds',
    help: 'How long the oldest signal of a type has waited that is neither held nor in its backoff, fleet-wide; 0 without one',
    labelNames: ['signal_type'],
  },
  maxWait: {
    name: 'tps_max_wait_seconds',
    help: 'How long a signal of a type may wait before its line is YELLOW; RED at 2.5 times as long',
    labelNames: ['signal_type'],
  },
  offered: {
    name: 'tps_offered_total',
    help: 'Signals that clients offered to this gateway, accepted or refused',
    labelNames: ['signal_type'],
  },
  lost: {
    name: 'tps_lost_total',
    help: 'Signals that got no attempt to its end: `refused` by this gateway for want of room, or `expired` in the whole fleet',
    labelNames: ['signal_type', 'cause'],
  },
  circuitState: {
    name: 'tps_circuit_state',
    help: 'Circuit of a signal type: 0 closed, 1 open, 2 half-open',
    labelNames: ['signal_type'],
  },
  httpRequestDuration: {
    name: 'tps_http_request_duration_seconds',
    help: 'Time from a request to its answer',
    labelNames: ['method', 'route', 'status'],
  },
  andonColour: {
    name: 'tps_andon_colour',
    help: 'Light of a line, or of a station as station:<service>: 0 green, 1 yellow, 2 red',
    labelNames: ['line'],
  },
  andonOpenCalls: {
    name: 'tps_andon_open_calls',
    help: 'Calls that are not resumed, by whether somebody looks after them',
    labelNames: ['acknowledged'],
  },
  andonUnacknowledged: {
    name: 'tps_andon_unacknowledged_seconds',
    help: 'Age of the oldest call that nobody looks after; 0 without one',
  },
  andonWebhookPosts: {
    name: 'tps_andon_webhook_posts_total',
    help: 'Events posted to the webhook: taken, failed (tried again), given_up',
    labelNames: ['result'],
  },
  signals: {
    name: 'tps_signals_total',
    help: 'Final outcomes by type and status',
    labelNames: ['signal_type', 'status'],
  },
  signalWork: {
    name: 'tps_signal_work_seconds',
    help: 'Time in the handler, of signals that succeeded or failed',
    labelNames: ['signal_type'],
  },
  signalWait: {
    name: 'tps_signal_wait_seconds',
    help: 'Time from acceptance to the start of the last attempt',
    labelNames: ['signal_type'],
  },
  outcomesUnreadable: {
    name: 'tps_outcomes_unreadable_total',
    help: 'Entries of the log that were skipped, counted whenever they are met',
  },
  laneSignals: {
    name: 'tps_kanban_lane_signals',
    help: 'Signals per lane, waiting or in progress',
    labelNames: ['signal_type', 'priority', 'state'],
  },
  strandedSignals: {
    name: 'tps_kanban_stranded_signals',
    help: 'Signals in the stream that no lane counts; must be 0',
  },
  queueUnreadable: {
    name: 'tps_kanban_unreadable_total',
    help: 'Messages of the queue that were no signals and became dead letters',
  },
  backupSignals: {
    name: 'tps_backup_signals',
    help: 'Signals that wait at RabbitMQ or are on their way from there into the queue',
  },
  backupReachable: {
    name: 'tps_backup_reachable',
    help: 'Connected to RabbitMQ: 1, otherwise 0',
  },
  backupReconciled: {
    name: 'tps_backup_reconciled_total',
    help: 'Moved from the backup into the queue',
  },
  backupDuplicates: {
    name: 'tps_backup_duplicates_total',
    help: 'Already in the queue or finished',
  },
  recordsReach: {
    name: 'tps_records_reach_seconds',
    help: 'How far back the records of finished signals reach, TPS_OUTCOMES_MAX_AGE at the most',
  },
  recordsPromised: {
    name: 'tps_records_promised_seconds',
    help: 'How far back the records should reach: TPS_OUTCOMES_MAX_AGE',
  },
  stateLost: {
    name: 'tps_state_lost',
    help: 'Streams and buckets whose content NATS lost for good within the last 10 minutes',
  },
  busySlots: {
    name: 'tps_worker_busy_slots',
    help: 'Slots that work on a signal now',
  },
  deafHandlers: {
    name: 'tps_worker_deaf_handlers',
    help: 'Handlers that ignore their AbortSignal: their attempts are over, their slots and cards still taken',
    labelNames: ['signal_type'],
  },
  blockedSeconds: {
    name: 'tps_worker_blocked_seconds_total',
    help: 'Time in which a handler blocked the event loop, of blocks of 1 s and more; ? where the type is not known',
    labelNames: ['signal_type'],
  },
  strayErrors: {
    name: 'tps_worker_stray_errors_total',
    help: 'Errors that handlers left behind where nothing waits for them; ? where the type is not known',
    labelNames: ['signal_type'],
  },
  attempts: {
    name: 'tps_worker_attempts_total',
    help: 'Attempts by what became of them; `returned`: its handler found no room, which is no attempt',
    labelNames: ['signal_type', 'status'],
  },
  httpHostCircuitState: {
    name: 'tps_http_host_circuit_state',
    help: 'Circuit of a host that the task http delivers to: 0 closed, 1 open, 2 half-open',
    labelNames: ['host'],
  },
  spansDropped: {
    name: 'tps_spans_dropped_total',
    help: 'Spans that the trace collector did not take',
  },
} as const satisfies Record<string, MetricFacts>;

/**
 * The attributes of the fleet's own spans: OpenTelemetry's semantic conventions, and `tps.*` beyond
 * them. The type checks the names where spans are started; nothing is spent on them at run time. Handlers may set
 * any others on the span of their attempt.
 */
export type SpanAttributes = {
  'http.request.method'?: string;
  /** The path with its parameters unfilled, such as `/signal/:id/retry`. */
  'http.route'?: string;
  'http.response.status_code'?: number | undefined;
  'server.address'?: string;
  'url.scheme'?: string;
  /** The API's error code, or the class of an attempt's error. */
  'error.type'?: string;
  'messaging.system'?: 'nats';
  'messaging.operation.name'?: 'publish' | 'process';
  'messaging.operation.type'?: 'send' | 'process';
  /** The lane. */
  'messaging.destination.name'?: string;
  /** The signal's id. */
  'messaging.message.id'?: string | undefined;
  'tps.signal.id'?: string | undefined;
  'tps.signal.type'?: string | undefined;
  'tps.signal.priority'?: number | undefined;
  'tps.signal.run'?: number;
  /** The status in the answer to the caller. */
  'tps.signal.status'?: string | undefined;
  'tps.outcome.status'?: string;
  /** 1 for the first attempt of a run. */
  'tps.attempt'?: number;
  /** How often the broker delivered the message. */
  'tps.deliveries'?: number;
  /** The lane in the level sequence, `<type>/<priority>`. */
  'tps.lane'?: string;
  /** Position in the worker's sequence of picks. */
  'tps.level.place'?: number;
  /** Milliseconds from the pick to the start. */
  'tps.card.wait_ms'?: number;
};
/** The name of an attribute that a span of the fleet may have. */
export type SpanAttribute = keyof SpanAttributes;
