import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Msg } from '@nats-io/transport-node';
import { headerValues } from '@tps/bus';
import {
  type AdmitRequest,
  type AdmitVerdict,
  ALL_FINE,
  type CircuitRecord,
  circuitState,
  isOpen,
  type JidokaBoard,
  type SpanAttributes,
  SPANS,
  stoppedSince,
  WIRE_VERSION,
} from '@tps/contracts';
import { LineView, OutcomesLog, TypesView } from '@tps/fleet';
import type { RunningService, ServiceContext, ServiceDefinition } from '@tps/service';
import type { SignalSpan, TraceHeaders } from '@tps/telemetry';
import { type CircuitSettings, newerCircuit } from './circuit-transitions';
import { Circuits } from './circuits';
import { type JidokaConfig, variables } from './config';

/** Longer than the five minutes for which a monitor remembers defects. */
const REBUILD_MS = 600_000;
/** Short, because a line that fails must stop soon. */
const GATHER_MS = 50;
const CATCH_UP_MS = 500;

/** Stop at the defect: one circuit per signal type decides whether its line runs. */
export const jidoka: ServiceDefinition<typeof variables> = { name: 'jidoka', variables, start };

async function start(context: ServiceContext<JidokaConfig>): Promise<RunningService> {
  const { bus, config, log } = context;
  const replicas = config.TPS_NATS_REPLICAS;
  const onError = (error: unknown): void => void log.error('circuit not updated', { error });
  const view = await LineView.open(bus, { replicas, onError, restoreCircuit: newerCircuit });
  const types = await TypesView.open(bus, { replicas, onError });
  const circuits = new Circuits(view, types, settingsOf(config), (record, before) =>
    logChange(context, record, before),
  );
  types.onRetired((type) => circuits.forget(type));
  const outcomes = await OutcomesLog.open(context, {
    sinceMs: REBUILD_MS,
    gatherMs: GATHER_MS,
    onStart: (start) => void circuits.onStart(start).catch(onError),
    onOutcome: (logged) => void circuits.onOutcome(logged).catch(onError),
  });

  context.endpoint('admit', admitEndpoint(context, circuits));
  context.endpoint('trial', (request) => circuits.trial(request));
  context.endpoint('resumeCircuit', async (request) => {
    // The person has seen the outcomes that are in the log by now, so none of them may stop the line again.
    if (!(await outcomes.caughtUp(CATCH_UP_MS))) return { resumed: false };
    return circuits.resume(request, outcomes.position);
  });
  context.endpoint('retireCircuit', async ({ signal_type }) => {
    await circuits.retire(signal_type);
    return { done: true };
  });
  return {
    problems: () => [...outcomes.problems(), ...view.problems()],
    board: () => board(view),
    stop: async () => {
      await outcomes.stop();
      circuits.close();
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

/** A stop is a warning: it opened, latched, or a trial failed. A trial that begins or a line that runs again is not. */
function logChange({ log }: ServiceContext, record: CircuitRecord, before: CircuitRecord): void {
  const { signal_type, reason, epoch, trace_id, until, failed_before } = record;
  const fields = { signal_type, state: circuitState(record, Date.now()), reason, epoch, trace_id };
  const isStop = isOpen(record) && !record.trial && epoch > before.epoch;
  if (!isStop) return void log.info('circuit changed', fields);
  const next = record.latch ? { latched: true } : { until, failed_before_until: failed_before?.until };
  log.warn(isOpen(before) && !record.latch ? 'trial failed' : 'line stopped', { ...fields, ...next });
}

/** The first check of a signal. On a running line the answer is a look into two maps. */
function admitEndpoint(context: ServiceContext<JidokaConfig>, circuits: Circuits) {
  return async (requests: AdmitRequest[], msg: Msg): Promise<typeof ALL_FINE | AdmitVerdict[]> => {
    const parents = headerValues(msg.headers, 'traceparent');
    const states = headerValues(msg.headers, 'tracestate');
    const verdicts = await Promise.all(
      requests.map(async (request, i) => {
        const span = startSpan(context, request, {
          traceparent: parents[i] ?? '',
          tracestate: states[i] ?? '',
        });
        const verdict = await circuits.admit(request);
        if (!verdict.ok) span.setStatus({ code: SpanStatusCode.ERROR, message: verdict.reason });
        span.end();
        return verdict;
      }),
    );
    return verdicts.every(({ ok }) => ok) ? ALL_FINE : verdicts;
  };
}

function startSpan({ tracer }: ServiceContext, request: AdmitRequest, parent: TraceHeaders): SignalSpan {
  const attributes: SpanAttributes = { 'tps.signal.id': request.id, 'tps.signal.type': request.signal_type };
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
      ...(circuit?.failed_before ? { failed_before_until: circuit.failed_before.until } : {}),
      ...(circuit?.trace_id ? { trace_id: circuit.trace_id } : {}),
      ...(andon_id ? { andon_id } : {}),
    };
    return [type, row] as const;
  });
  return { v: WIRE_VERSION, circuits: Object.fromEntries(rows) };
}
