import { ask, NoReplyError, RecordsClient } from '@tps/bus';
import { METRICS } from '@tps/contracts';
import { LineView } from '@tps/fleet';
import type { RunningService, ServiceContext } from '@tps/service';
import { Counter, Gauge } from 'prom-client';
import { DefinitionError, type SignalDefinition } from '../definition';
import type { WorkerConfig, WorkerSetup } from '../worker-setup';
import { Announcements } from './announcements';
import type { CompiledDefinition } from './attempt';
import { compile } from './compile';
import { followLevelling } from './levelling';
import { LoopMonitor } from './loop-monitor';
import { OtherWorkers } from './other-workers';
import { type QueueFacts, QueueLife } from './queue-life';
import { Recorder } from './recorder';
import { SlotRunner, type SlotRunnerDeps } from './slot-runner';
import { Strays } from './strays';

const LANES_LIMIT_MS = 3_000;

/** Starts what a worker process consists of, each part after those that it needs. */
export async function startWorkerProcess(
  context: ServiceContext<WorkerConfig>,
  { signals, failing, close }: WorkerSetup,
): Promise<RunningService> {
  const { bus, config, log, instance } = context;
  const definitions = compileAll(signals, config);
  const types = [...definitions.keys()];
  const lines = await LineView.open(bus, {
    replicas: config.TPS_NATS_REPLICAS,
    onError: (error) => log.error('bucket', { error }),
  });
  const announcements = await Announcements.open(context, definitions);
  const life = new QueueLife(bus, () => askForLanes(context, types));
  life.leaseMs = config.TPS_LEASE_MS;
  await life.begin();
  const monitor = new LoopMonitor(context, types, life.leaseMs);
  const strays = new Strays(log, countStrays(context));
  const runner = new SlotRunner({
    context,
    definitions,
    lines,
    life,
    monitor,
    recorder: new Recorder(bus, log),
    records: new RecordsClient(bus),
    others: new OtherWorkers(bus, instance),
    strays,
    onAttempt: countAttempts(context),
  });
  const levelling = await followLevelling(context, runner);
  showSlots(context, runner);
  context.endpoint('workerInFlight', ({ id }) => runner.inFlightReply(id), { broadcast: true });
  context.endpoint('workerBlock', (request) => runner.block(request), { broadcast: true });
  return {
    vitals: () => ({ ...runner.vitals(), ...(failing ? { failing: failing() } : {}) }),
    onHeartbeat: (heartbeat) => monitor.onHeartbeat(heartbeat),
    problems: () => problemsOf(context, runner, lines),
    absorb: (error) => strays.absorb(error, runner.ran()),
    begin: () => runner.begin(),
    stop: async () => {
      announcements.end();
      await runner.stop();
      for (const part of [lines, levelling, announcements]) part.close();
      await monitor.close();
      await close?.();
    },
  };
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

function problemsOf({ bus }: ServiceContext, { overruns }: SlotRunner, lines: LineView): string[] {
  const problems = bus.connected ? lines.problems() : ['not connected to NATS'];
  const { endless } = overruns;
  if (endless) problems.push(`a handler of ${endless.type} does not end: finishing other work to start anew`);
  return problems;
}

/** Without kanban the worker starts all the same, and finds its lanes later. */
async function askForLanes({ bus, log }: ServiceContext, types: string[]): Promise<QueueFacts> {
  try {
    return await ask(bus, 'lanes', { types }, { timeoutMs: LANES_LIMIT_MS });
  } catch (error) {
    log.warn('kanban did not create the lanes', { error });
    return error instanceof NoReplyError && error.undelivered ? 'nobody' : 'silence';
  }
}

function showSlots({ registry }: ServiceContext, { slots, overruns }: SlotRunner): void {
  new Gauge({
    ...METRICS.busySlots,
    registers: [registry],
    collect() {
      this.set(slots.busy);
    },
  });
  new Gauge({
    ...METRICS.deafHandlers,
    registers: [registry],
    collect() {
      this.reset();
      for (const [signal_type, count] of Object.entries(overruns.deaf())) this.set({ signal_type }, count);
    },
  });
}

function countStrays({ registry }: ServiceContext): (type: string) => void {
  const counter = new Counter({ ...METRICS.strayErrors, registers: [registry] });
  return (signal_type) => counter.inc({ signal_type });
}

/** Looks up each of the few label sets once. */
function countAttempts({ registry }: ServiceContext): SlotRunnerDeps['onAttempt'] {
  const counter = new Counter({ ...METRICS.attempts, registers: [registry] });
  const children = new Map<string, { inc: () => void }>();
  return (signal_type, status) => {
    const key = `${signal_type} ${status}`;
    let child = children.get(key);
    if (!child) children.set(key, (child = counter.labels({ signal_type, status })));
    child.inc();
  };
}
