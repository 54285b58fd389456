import { type TSchema, Type } from '@sinclair/typebox';
import { type Bus, connectBus, ensureLanes, ensureStream, Follower, managerOf, openBucket } from '@tps/bus';
import {
  type CircuitRecord,
  type Outcome,
  type Priority,
  type RequestOf,
  type Signal,
  type StopRecord,
  WIRE_VERSION,
} from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { NatsServer, waitFor } from '@tps/testkit';
import { defineSignal, type SignalDefinition } from '../definition';
import { workerService } from '../run-worker';

let ids = 0;

/** A type without schemas, with a short backoff. */
export function signal(
  name: string,
  run: SignalDefinition['run'],
  given: Partial<SignalDefinition> = {},
): SignalDefinition {
  const retry = { max_attempts: 3, base_ms: 10, cap_ms: 20 };
  const schema: TSchema = Type.Unknown();
  return defineSignal({ name, input: schema, output: schema, retry, run, ...given });
}

/** A dead letter: a signal with its outcome, or an unreadable message. */
interface Dead {
  signal?: Signal;
  outcome?: Outcome;
  invalid?: true;
  data?: string;
}

/** A real broker with a queue, the workers that a test starts, and the outcomes as they come. */
export class WorkerHarness {
  readonly outcomes: Outcome[] = [];
  private readonly workers = new Set<ServiceHandle>();
  private follower: Follower | undefined;

  private constructor(
    readonly nats: NatsServer,
    readonly bus: Bus,
  ) {}

  static async start(): Promise<WorkerHarness> {
    const nats = await NatsServer.start();
    const harness = new WorkerHarness(nats, await connectBus({ url: nats.url, name: 'test' }));
    await ensureStream(harness.bus, 'kanban', { replicas: 1, kanbanMaxMessages: 10_000 });
    await ensureStream(harness.bus, 'outcomes', { replicas: 1 });
    await ensureStream(harness.bus, 'dead', { replicas: 1 });
    harness.follower = new Follower(harness.bus, {
      stream: harness.bus.names.streams.outcomes,
      gatherMs: 0,
      onMessage: ({ msg }) => harness.outcomes.push(...msg.json<Outcome[]>()),
      onError: () => undefined,
    });
    return harness;
  }

  async worker(
    name: string,
    signals: SignalDefinition[],
    env: Record<string, string> = {},
    onFail: (error: unknown) => void = (error) => console.error(error),
  ): Promise<ServiceHandle> {
    // kanban does this when a type is announced.
    for (const signal of signals) await ensureLanes(this.bus, signal.name);
    const fixed = {
      NATS_URL: this.nats.url,
      METRICS_PORT: 'disabled',
      LOG_LEVEL: 'error',
      INSTANCE_ID: name,
    };
    const service = await startService(
      workerService({}, () => ({ signals })),
      { ...fixed, ...env },
      onFail,
    );
    this.workers.add(service);
    return service;
  }

  async stop(worker: ServiceHandle): Promise<void> {
    this.workers.delete(worker);
    await worker.stop();
  }

  /** Puts a signal into the queue as kanban does. */
  async enqueue(type: string, given: Partial<Signal> = {}): Promise<string> {
    const id = `signal-${(ids += 1)}`;
    const fixed = { v: WIRE_VERSION, id, run: 0, signal_type: type, priority: 3 as Priority, payload: {} };
    const signal: Signal = { ...fixed, timeout_ms: 60_000, created_at: new Date().toISOString(), ...given };
    const subject = this.bus.names.subjects.work(type, signal.priority, signal.id);
    await this.bus.publisher.publish(subject, JSON.stringify(signal));
    return signal.id;
  }

  /** Outcomes of a type in the order of the log. */
  of(type: string): Outcome[] {
    return this.outcomes.filter(({ signal_type }) => signal_type === type);
  }

  /** The statuses of a signal, oldest first. */
  statusesOf(id: string): unknown[] {
    const mine = this.outcomes.filter(({ signal_id }) => signal_id === id);
    return mine.map(({ status, attempt }) => [status, attempt]);
  }

  /** Waits for the final outcome of a signal. */
  finished(id: string): Promise<Outcome> {
    const isIt = ({ signal_id, final }: Outcome): boolean => signal_id === id && final;
    return waitFor(`the end of ${id}`, () => this.outcomes.find(isIt), { limitMs: 30_000 });
  }

  async drained(type: string): Promise<void> {
    const isEmpty = async (): Promise<boolean> => (await this.queued(type)) === 0;
    await waitFor(`the queue of ${type} to be empty`, isEmpty, { limitMs: 30_000 });
  }

  /** Number of signals in the queue. */
  async queued(type = '*'): Promise<number> {
    const jsm = await managerOf(this.bus);
    const subjects_filter = this.bus.names.subjects.work(type, '*', '*');
    const { state } = await jsm.streams.info(this.bus.names.streams.kanban, { subjects_filter });
    return Object.keys(state.subjects ?? {}).length;
  }

  async lastDead(type: string): Promise<Dead | undefined> {
    const jsm = await managerOf(this.bus);
    const last_by_subj = this.bus.names.subjects.dead(type);
    const message = await jsm.direct.getMessage(this.bus.names.streams.dead, { last_by_subj });
    return message?.json<Dead>();
  }

  async circuit(type: string, given: Partial<CircuitRecord>): Promise<void> {
    const bucket = await openBucket(this.bus, this.bus.names.buckets.circuits, 1);
    const since = new Date().toISOString();
    const fixed = { v: WIRE_VERSION, signal_type: type, epoch: 1, reason: 'test', since, pause_ms: 1_000 };
    await bucket.put(type, JSON.stringify({ ...fixed, log_seq: 0, stops: [], ...given }));
  }

  /** Writes the stop record of a line, as andon does. */
  async stopLine(type: string, given: Partial<StopRecord>): Promise<void> {
    const bucket = await openBucket(this.bus, this.bus.names.buckets.stops, 1);
    const fixed = { v: WIRE_VERSION, line: type, stops: [], resolved: [], unlogged: [] };
    await bucket.put(type, JSON.stringify({ ...fixed, ...given }));
  }

  /**
   * Answers look-ups of records, as andon does.
   * @returns a function that stops it
   */
  serveRecords(): () => void {
    const subscription = this.bus.nc.subscribe(this.bus.names.subjects.lookup, {
      callback: (_, msg) => {
        const { ids: wanted } = msg.json<RequestOf<'lookup'>>();
        const records = wanted.map((id) => ({
          id,
          outcomes: this.outcomes.filter(({ signal_id }) => signal_id === id),
        }));
        msg.respond(JSON.stringify({ records }));
      },
    });
    return () => subscription.unsubscribe();
  }

  async close(): Promise<void> {
    await Promise.all([...this.workers].map((worker) => worker.stop()));
    await this.follower?.stop();
    await this.bus.close();
    await this.nats.stop();
  }
}
