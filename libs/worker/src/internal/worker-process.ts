import { setTimeout as sleep } from 'node:timers/promises';
import { ask, NoReplyError } from '@tps/bus';
import { LineView } from '@tps/fleet';
import type { RunningService, ServiceContext } from '@tps/service';
import { Counter, Gauge } from 'prom-client';
import { METRICS, type WorkerVitals } from '@tps/contracts';
import { Announcements } from './announcements';
import type { CompiledDefinition } from './attempt';
import { compile } from './compile';
import { DefinitionError, type SignalDefinition } from '../definition';
import type { WorkerConfig, WorkerSetup } from '../worker-setup';
import { Records } from './prior-attempts';
import { followLevelling } from './levelling';
import { Limits } from './limits';
import { LoopMonitor } from './loop-monitor';
import type { Overrun } from './overruns';
import { OtherWorkers } from './other-workers';
import { type QueueFacts, QueueLife } from './queue-life';
import { Recorder } from './recorder';
import { LevelSequence } from './sequence';
import { SlotRunner, type SlotRunnerDeps } from './slot-runner';
import { Strays } from './strays';

const LANES_LIMIT_MS = 3_000;
const GRACE_MS = 15_000;
const PROBE_MS = 20;
/** Time for the other work when a handler does not end. The stop releases longer work without using up an attempt. */
const DRAIN_MS = 300_000;

/** A handler ignored its AbortSignal for so long that its slot and card count as lost. */
export class EndlessHandlerError extends Error {
  override readonly name = 'EndlessHandlerError';
  constructor(type: string) {
    super(
      `a handler of ${type} ignores its AbortSignal and does not end: only a new process has its slot again`,
    );
  }
}

/** Starts what a worker process consists of. */
export async function startWorkerProcess(
  context: ServiceContext<WorkerConfig>,
  setup: WorkerSetup,
): Promise<RunningService> {
  const { bus, config, log } = context;
  const definitions = compileAll(setup.signals, config);
  const sequence = new LevelSequence();
  let onLine: (type: string) => void = () => undefined;
  const lines = await LineView.open(bus, {
    replicas: config.TPS_NATS_REPLICAS,
    onError: (error) => log.error('bucket', { error }),
    onChange: (type) => onLine(type),
  });
  const limits = new Limits({ context, types: new Set(definitions.keys()), slots: config.TPS_NUM_WORKERS });
  const levelling = await followLevelling(context, sequence, limits);
  const announcements = await Announcements.open(context, definitions);
  const life = await knowQueue(context, definitions.keys(), (lost) => station.onQueueKnown(lost));

  const monitor = new LoopMonitor(
    context,
    [...definitions.keys()],
    life.leaseMs,
    (request) => void station.refuseSignal(request),
  );
  const recorder = new Recorder(bus, log);
  const strays = new Strays({ log, ran: () => station.ran(), onStray: countStrays(context) });
  const station: SlotRunner = new SlotRunner({
    context,
    definitions,
    slots: config.TPS_NUM_WORKERS,
    life,
    table: monitor.table,
    readNotes: () => monitor.readNotes(),
    lines,
    sequence,
    limits,
    recorder,
    records: new Records(bus, new OtherWorkers(bus, context.instance)),
    strays,
    onAttempt: countAttempts(context),
    onEndless: (overrun) => void startAnew(context, station, overrun),
  });
  limits.attach(station);
  onLine = (type) => station.onLine(type);
  showSlots(context, station);
  serveEndpoints(context, station);
  const parts = [life, lines, levelling, announcements, limits];
  const running: Running = { station, limits, recorder, announcements, monitor, parts, setup };
  return {
    vitals: () => ({
      ...vitalsOf(running, [...definitions.keys()]),
      slots: config.TPS_NUM_WORKERS,
    }),
    onHeartbeat: (heartbeat) => monitor.onHeartbeat(heartbeat),
    problems: () => problemsOf(context, station, lines),
    absorb: (error) => strays.absorb(error),
    begin: () => station.begin(),
    stop: () => stop(running),
  };
}

interface Running {
  station: SlotRunner;
  limits: Limits;
  recorder: Recorder;
  announcements: Announcements;
  monitor: LoopMonitor;
  /** Parts that follow something, and need no order at the end. */
  parts: readonly { close: () => void }[];
  setup: WorkerSetup;
}

async function stop(running: Running): Promise<void> {
  const { station, limits, recorder, announcements, monitor, parts, setup } = running;
  announcements.end();
  const released = limits.release();
  await station.stop(until, GRACE_MS);
  await released;
  await limits.release();
  recorder.close();
  for (const part of parts) part.close();
  await monitor.close();
  await setup.close?.();
}

/** @throws DefinitionError */
function compileAll(signals: SignalDefinition[], config: WorkerConfig): Map<string, CompiledDefinition> {
  const definitions = new Map<string, CompiledDefinition>();
  for (const signal of signals) {
    const { name } = signal;
    if (definitions.has(name)) throw new DefinitionError(`signal type "${name}" is defined twice`);
    definitions.set(name, compile(signal, config.TPS_MAX_ATTEMPTS, config.TPS_CHAOS === '1'));
  }
  return definitions;
}

function problemsOf({ bus }: ServiceContext, { endless }: SlotRunner, lines: LineView): string[] {
  const problems = bus.connected ? lines.problems() : ['not connected to NATS'];
  if (endless) problems.push(`a handler of ${endless.type} does not end: finishing other work to start anew`);
  return problems;
}

/** Nothing but the end of the process ends a handler. Others' work ends first, where it does so in time. */
async function startAnew(
  context: ServiceContext,
  station: SlotRunner,
  { type, signalId }: Overrun,
): Promise<void> {
  context.log.error('a handler does not end: taking no more work', {
    signal_type: type,
    signal_id: signalId,
  });
  await station.drain(until, DRAIN_MS);
  context.fail(new EndlessHandlerError(type));
}

async function knowQueue(
  context: ServiceContext<WorkerConfig>,
  names: Iterable<string>,
  onKnown: (lost: boolean) => void,
): Promise<QueueLife> {
  const types = [...names];
  const life = new QueueLife(context.bus, () => askForLanes(context, types), onKnown);
  life.leaseMs = context.config.TPS_LEASE_MS;
  await life.begin();
  return life;
}

/** Without kanban the worker starts all the same, and finds its lanes when they are there. */
async function askForLanes({ bus, log }: ServiceContext, types: string[]): Promise<QueueFacts> {
  try {
    return await ask(bus, 'lanes', { types }, { timeoutMs: LANES_LIMIT_MS });
  } catch (error) {
    log.warn('kanban did not make the lanes', { error });
    return error instanceof NoReplyError && error.undelivered ? 'nobody' : 'silence';
  }
}

function vitalsOf({ station, monitor, setup }: Running, types: string[]): Omit<WorkerVitals, 'slots'> {
  const { busy, started } = station;
  const { recent: blocked } = monitor;
  return {
    ...{ busy, types, started, in_hand: claimed(station, types), deaf: station.deaf(), ...station.load() },
    ...(setup.failing ? { failing: setup.failing() } : {}),
    ...(blocked ? { blocked } : {}),
  };
}

function claimed(station: SlotRunner, types: Iterable<string>): Record<string, number> {
  const counts = [...types].map((type) => [type, station.claimed(type)] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

function serveEndpoints(context: ServiceContext, station: SlotRunner): void {
  const each = { broadcast: true };
  context.endpoint('workerInFlight', ({ id }) => station.holds(id), each);
  context.endpoint('workerBlock', (request) => station.refuseSignal(request), each);
}

function showSlots({ registry }: ServiceContext, station: SlotRunner): void {
  new Gauge({
    ...METRICS.busySlots,
    registers: [registry],
    collect() {
      this.set(station.busy);
    },
  });
  new Gauge({
    ...METRICS.deafHandlers,
    registers: [registry],
    collect() {
      this.reset();
      for (const [signal_type, count] of Object.entries(station.deaf())) this.set({ signal_type }, count);
    },
  });
}

function countStrays({ registry }: ServiceContext): (type: string) => void {
  const counter = new Counter({
    ...METRICS.strayErrors,
    registers: [registry],
  });
  return (signal_type) => counter.inc({ signal_type });
}

/** The few label sets there are, are looked up once each. */
function countAttempts({ registry }: ServiceContext): SlotRunnerDeps['onAttempt'] {
  const counter = new Counter({
    ...METRICS.attempts,
    registers: [registry],
  });
  const children = new Map<string, { inc: () => void }>();
  return (signal_type, status) => {
    const key = `${signal_type} ${status}`;
    let child = children.get(key);
    if (!child) children.set(key, (child = counter.labels({ signal_type, status })));
    child.inc();
  };
}

/** Waits for a condition, at most so long: at a stop what is not done by then is handed back. */
async function until(probe: () => boolean, limitMs: number): Promise<void> {
  const end = Date.now() + limitMs;
  while (!probe() && Date.now() < end) await sleep(PROBE_MS);
}
