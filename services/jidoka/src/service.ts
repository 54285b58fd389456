import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Msg } from '@nats-io/transport-node';
import { headerValues, openView } from '@tps/bus';
import {
  type AdmitRequest,
  type AdmitVerdict,
  ALL_FINE,
  type JidokaBoard,
  SPANS,
  stoppedSince,
  WIRE_VERSION,
} from '@tps/contracts';
import {
  LineView,
  OutcomesLog,
  type RunningService,
  type ServiceContext,
  type ServiceDefinition,
  type SignalSpan,
  type TraceHeaders,
} from '@tps/service';
import { type CircuitSettings, newerCircuit } from './circuit';
import { type JidokaConfig, variables } from './config';
import { Lines } from './line';

/** Longer than anything that a monitor looks back to. */
const REBUILD_MS = 600_000;
/** A line that fails must stop soon. */
const GATHER_MS = 50;
const CATCH_UP_MS = 500;

/** Stop at the defect: one circuit per signal type; decides whether a type's line runs. */
export const jidoka: ServiceDefinition<typeof variables> = { name: 'jidoka', variables, start };

async function start(context: ServiceContext<JidokaConfig>): Promise<RunningService> {
  const { bus, config, log } = context;
  const replicas = config.TPS_NATS_REPLICAS;
  const onError = (error: unknown): void => void log.error('circuit', { error });
  const view = await LineView.open(bus, { replicas, onError, restoreCircuit: newerCircuit });
  const types = await openView(bus, 'types', { replicas, onError });
  const lines = new Lines(
    view,
    types,
    settingsOf(config),
    ({ signal_type, state, reason, epoch, trace_id }) =>
      log.info('circuit', { signal_type, state, reason, epoch, trace_id }),
  );
  const outcomes = await OutcomesLog.open(context, {
    sinceMs: REBUILD_MS,
    gatherMs: GATHER_MS,
    onOutcome: (logged) => void lines.onOutcome(logged).catch(onError),
  });

  context.endpoint('admit', admitEndpoint(context, lines));
  context.endpoint('trial', (request) => lines.trial(request));
  context.endpoint('resumeCircuit', async (request) => {
    // What is in the log by now is the past that the person has looked at.
    if (!(await outcomes.caughtUp(CATCH_UP_MS))) return { resumed: false };
    return lines.resume(request, outcomes.position);
  });
  return {
    problems: () => outcomes.problems(),
    board: () => board(view),
    stop: async () => {
      await outcomes.stop();
      lines.close();
      view.close();
      types.close();
    },
  };
}

function settingsOf(config: JidokaConfig): CircuitSettings {
  return {
    threshold: config.TPS_CB_THRESHOLD,
    errorPercent: config.TPS_CB_ERROR_PERCENT,
    slowMs: config.TPS_CB_SLOW_MS,
    pauseMs: config.TPS_CB_TIMEOUT * 1000,
  };
}

/** The first question a signal passes; on a running line the answer is a look into a map. */
function admitEndpoint(context: ServiceContext<JidokaConfig>, lines: Lines) {
  return async (requests: AdmitRequest[], msg: Msg): Promise<typeof ALL_FINE | AdmitVerdict[]> => {
    const parents = headerValues(msg.headers, 'traceparent');
    const states = headerValues(msg.headers, 'tracestate');
    const verdicts = await Promise.all(
      requests.map(async (request, i) => {
        const span = startSpan(context, request, {
          traceparent: parents[i] ?? '',
          tracestate: states[i] ?? '',
        });
        const verdict = await lines.admit(request);
        if (!verdict.ok) span.setStatus({ code: SpanStatusCode.ERROR, message: verdict.reason });
        span.end();
        return verdict;
      }),
    );
    return verdicts.every(({ ok }) => ok) ? ALL_FINE : verdicts;
  };
}

function startSpan({ tracer }: ServiceContext, request: AdmitRequest, parent: TraceHeaders): SignalSpan {
  const attributes = { 'tps.signal.id': request.id, 'tps.signal.type': request.signal_type };
  return tracer.start(SPANS.jidoka, { kind: SpanKind.SERVER, attributes }, parent);
}

function board(view: LineView): JidokaBoard {
  const now = Date.now();
  const rows = view.known().map((type) => {
    const circuit = view.circuit(type);
    const call = view.stop(type)?.call;
    const stopped = view.stopped(type, now);
    const andon_id = call?.id ?? circuit?.andon_id;
    const row = {
      state: view.state(type, now),
      reason: (stopped ? call?.reason : circuit?.reason) ?? 'never stopped',
      since: (stopped ? stoppedSince(view.stop(type), now) : circuit?.since) ?? new Date(now).toISOString(),
      epoch: circuit?.epoch ?? 0,
      latched: circuit?.latch !== undefined,
      stopped,
      ...(circuit?.until ? { until: circuit.until } : {}),
      ...(circuit?.trace_id ? { trace_id: circuit.trace_id } : {}),
      ...(andon_id ? { andon_id } : {}),
    };
    return [type, row] as const;
  });
  return { v: WIRE_VERSION, circuits: Object.fromEntries(rows) };
}
