import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { headerValues, KvView } from '@tps/bus';
import {
  type AdmitRequest,
  type AdmitVerdict,
  ALL_FINE,
  type CircuitRecord,
  circuitState,
  type JidokaBoard,
  SPANS,
  type TrialGrant,
  type TrialRequest,
  type TypeRecord,
  WIRE_VERSION,
} from '@tps/contracts';
import {
  OutcomesLog,
  type RunningService,
  type ServiceContext,
  type ServiceDefinition,
  type SignalSpan,
  type TraceHeaders,
} from '@tps/service';
import { type JidokaConfig, variables } from './config';
import { Lines } from './line';

/** Failures in a row are counted over at most this much of the log. */
const REBUILD_MS = 600_000;

/** Stop at the defect: one circuit per signal type; decides whether a type's line runs. */
export const jidoka: ServiceDefinition<typeof variables> = { name: 'jidoka', variables, start };

async function start(context: ServiceContext<JidokaConfig>): Promise<RunningService> {
  const { bus, config, log } = context;
  const { buckets, subjects } = bus.names;
  const replicas = config.TPS_NATS_REPLICAS;
  const onError = (error: unknown): void => void log.error('bucket', { error });
  const circuits = await KvView.open<CircuitRecord>(bus, buckets.circuits, { replicas, onError });
  const types = await KvView.open<TypeRecord>(bus, buckets.types, { replicas, onError });
  const settings = { threshold: config.TPS_CB_THRESHOLD, pauseMs: config.TPS_CB_TIMEOUT * 1000 };
  const lines = new Lines(circuits, types, settings, ({ signal_type, state, reason, epoch, trace_id }) =>
    log.info('circuit', { signal_type, state, reason, epoch, trace_id }),
  );
  const outcomes = await OutcomesLog.open(context, {
    sinceMs: REBUILD_MS,
    onOutcome: (logged) =>
      void lines.onOutcome(logged).catch((error: unknown) => log.error('circuit', { error })),
  });

  context.endpoint<AdmitRequest[], typeof ALL_FINE | AdmitVerdict[]>(
    'admit',
    subjects.admit,
    async (requests, msg) => {
      const parents = headerValues(msg.headers, 'traceparent');
      const states = headerValues(msg.headers, 'tracestate');
      const verdicts = await Promise.all(
        requests.map(async (request, i) => {
          const span = startSpan(context, request, {
            traceparent: parents[i] ?? '',
            tracestate: states[i] ?? '',
          });
          const verdict = await lines.admit(request.signal_type, request.id);
          if (!verdict.ok) span.setStatus({ code: SpanStatusCode.ERROR, message: verdict.reason });
          span.end();
          return verdict;
        }),
      );
      return verdicts.every(({ ok }) => ok) ? ALL_FINE : verdicts;
    },
  );
  context.endpoint<TrialRequest, TrialGrant>('trial', subjects.trial, (request) => lines.trial(request));
  return {
    problems: () => outcomes.problems(),
    board: () => board(circuits),
    stop: async () => {
      await outcomes.stop();
      for (const view of [circuits, types]) view.close();
    },
  };
}

function startSpan({ tracer }: ServiceContext, request: AdmitRequest, parent: TraceHeaders): SignalSpan {
  const attributes = { 'tps.signal.id': request.id, 'tps.signal.type': request.signal_type };
  return tracer.start(SPANS.jidoka, { kind: SpanKind.SERVER, attributes }, parent);
}

function board(circuits: KvView<CircuitRecord>): JidokaBoard {
  const now = Date.now();
  const rows = circuits.values().map((record) => {
    const { signal_type, reason, since, epoch, until, trace_id } = record;
    const row = { state: circuitState(record, now), reason, since, epoch };
    return [signal_type, { ...row, ...(until ? { until } : {}), ...(trace_id ? { trace_id } : {}) }] as const;
  });
  return { v: WIRE_VERSION, circuits: Object.fromEntries(rows) };
}
