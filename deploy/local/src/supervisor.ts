import { Child, type ChildContext } from './child';
import { releaseClaim, takeClaim } from './claim';
import { messageOf } from './errors';
import { fingerprintOf } from './build-fingerprint';
import { lastLines, logFile } from './log-files';
import { type Plan, type ProcessSpec, STOP_ORDER, makePlan } from './plan';
import { assertPortsFree } from './ports';
import { type ProcessId, endLeftovers, identify } from './processes';
import type { Settings } from './settings';
import { type FleetState, type FleetPart, writeState } from './state';
import { readMachineFacts } from './machine-facts';
import { waitFor } from './wait';

/** Time for a service to finish or release its work before it is killed. */
const STOP_LIMIT_MS = 15_000;
/** Services wait for their broker by themselves; starting them after it only keeps their logs short. */
const BROKER_LIMIT_MS = 30_000;

/** The exit codes of a supervisor. */
export const SUPERVISOR_EXIT = { stopped: 0, failed: 1, alreadyRunning: 3 } as const;
type Exit = (typeof SUPERVISOR_EXIT)[keyof typeof SUPERVISOR_EXIT];

export interface Signals {
  /** Stop in order. */
  readonly stop: AbortSignal;
  /** Kill at once. */
  readonly force: AbortSignal;
}

/** Runs the fleet until it is told to stop or a part cannot run at all. */
export async function supervise(
  settings: Settings,
  signals: Signals,
  log: (message: string) => void,
): Promise<Exit> {
  const { paths } = settings;
  const holder = takeClaim(paths, 'supervisor');
  if (holder !== undefined) {
    log(`not started: process ${holder.pid} already supervises ${paths.home}`);
    return SUPERVISOR_EXIT.alreadyRunning;
  }
  const state = new StateFile(settings);
  try {
    state.update({ phase: 'starting' });
    const left = await endLeftovers(paths);
    if (left.length > 0) log(`ended the processes of a killed supervisor: ${left.join(', ')}`);
    const plan = makePlan(settings, await readMachineFacts(settings));
    await assertPortsFree([...plan.brokers, ...plan.services]);
    const fleet = new Fleet(settings, plan, state, log);
    return await fleet.run(signals);
  } catch (error) {
    log(`not started: ${messageOf(error)}`);
    state.update({ phase: 'failed', failure: messageOf(error) });
    return SUPERVISOR_EXIT.failed;
  } finally {
    releaseClaim(paths);
  }
}

/** Keeps the state of the fleet for the commands. */
class StateFile {
  #state: FleetState;

  constructor(private readonly settings: Settings) {
    const supervisor: ProcessId = identify(process.pid) ?? { pid: process.pid, started: '' };
    const fingerprint = fingerprintOf(settings);
    this.#state = { supervisor, phase: 'starting', fingerprint, parts: [], externals: [] };
  }

  update(change: Partial<FleetState>): void {
    this.#state = { ...this.#state, ...change };
    writeState(this.settings.paths, this.#state);
  }
}

class Fleet {
  readonly #children: readonly Child[];
  readonly #brokers: readonly Child[];

  constructor(
    private readonly settings: Settings,
    private readonly plan: Plan,
    private readonly state: StateFile,
    private readonly log: (message: string) => void,
  ) {
    const context: ChildContext = {
      paths: settings.paths,
      env: plan.env,
      log,
      onChange: () => this.state.update({ parts: this.#children.map((child) => this.#describe(child)) }),
    };
    const toChild = (spec: ProcessSpec): Child => new Child(spec, context);
    this.#brokers = plan.brokers.map(toChild);
    this.#children = [...this.#brokers, ...plan.services.map(toChild)];
  }

  async run({ stop, force }: Signals): Promise<Exit> {
    const { plan } = this;
    force.addEventListener('abort', () => this.#children.forEach((child) => child.kill()));
    this.state.update({ api: plan.api, metrics: plan.metrics, externals: plan.externals });
    this.log(`starting ${this.#children.map(({ spec }) => spec.name).join(', ')}`);

    await this.#start(stop);
    this.state.update({ phase: 'running' });
    const failed = await this.#untilEnd(stop);

    this.state.update({ phase: 'stopping' });
    const failure = failed && this.#explain(failed);
    await this.#stop(force);
    this.state.update(failure === undefined ? { phase: 'stopped' } : { phase: 'failed', failure });
    return failure === undefined ? SUPERVISOR_EXIT.stopped : SUPERVISOR_EXIT.failed;
  }

  async #start(stop: AbortSignal): Promise<void> {
    const isEnding = (): boolean => stop.aborted || this.#firstFailed() !== undefined;
    const isReady = ({ status, spec }: Child): boolean =>
      status.state === 'live' || spec.service === 'rabbitmq';
    for (const broker of this.#brokers) {
      broker.start();
      // Do not wait for RabbitMQ, which takes seconds to start and is only the backup.
      await waitFor(() => isReady(broker) || isEnding(), BROKER_LIMIT_MS);
      if (isEnding()) return;
    }
    for (const child of this.#children) if (!this.#brokers.includes(child)) child.start();
  }

  /** Waits for the order to stop or for a part that cannot run. @returns that part */
  #untilEnd(stop: AbortSignal): Promise<Child | undefined> {
    return new Promise((resolve) => {
      const check = (): void => {
        const failed = this.#firstFailed();
        if (!stop.aborted && failed === undefined) return;
        clearInterval(timer);
        resolve(failed);
      };
      const timer = setInterval(check, 200);
      stop.addEventListener('abort', check);
      check();
    });
  }

  #firstFailed(): Child | undefined {
    return this.#children.find(({ status }) => status.state === 'failed');
  }

  async #stop(force: AbortSignal): Promise<void> {
    this.log('stopping');
    for (const service of STOP_ORDER) {
      const group = this.#children.filter(({ spec }) => spec.service === service);
      await Promise.all(group.map((child) => child.stop(force.aborted ? 0 : STOP_LIMIT_MS)));
    }
    this.log('stopped');
  }

  #explain({ spec, status }: Child): string {
    const lines = lastLines(logFile(this.settings.paths, spec.name), 1, status.logFrom);
    return `${spec.name} refuses its configuration (${status.reason}):\n${lines.join('\n')}`;
  }

  #describe({ spec, status }: Child): FleetPart {
    const { name, service, listens, ready } = spec;
    const ports = listens.map(({ port }) => port);
    return { name, service, ports, ready, log: logFile(this.settings.paths, name), ...status };
  }
}
