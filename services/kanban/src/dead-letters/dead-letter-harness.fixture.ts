import { jetstream } from '@nats-io/jetstream';
import { type Bus, connectBus, encodeHeaders, managerOf, openBucket } from '@tps/bus';
import {
  type DeadLetter,
  laneName,
  type DeadLetterFilter,
  deadLetterHeaders,
  type Outcome,
  type RedriveJob,
  type ReplyOf,
  type RequestOf,
  type Signal,
} from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { NatsServer, sampleOutcome, waitFor } from '@tps/testkit';
import { kanban } from '../service';

let ids = 0;

/** A real kanban on a real broker, with dead letters, records, and a worker that can be broken. */
export class DeadLetterHarness {
  /** The outcomes that the records answer. */
  readonly outcomes: Outcome[] = [];
  /** Runs that the worker has executed, as `id:run`. */
  readonly runs: string[] = [];
  repaired = true;
  recordsAnswer = true;

  private constructor(
    readonly nats: NatsServer,
    readonly bus: Bus,
    public service: ServiceHandle,
  ) {}

  static async start(): Promise<DeadLetterHarness> {
    const nats = await NatsServer.start();
    const bus = await connectBus({ url: nats.url, name: 'test' });
    const rig = new DeadLetterHarness(nats, bus, await startKanban(nats, 'kanban-1'));
    bus.nc.subscribe(bus.names.subjects.lookup, {
      callback: (_, msg) => {
        const { ids: wanted } = msg.json<RequestOf<'lookup'>>();
        const of = (id: string): Outcome[] => rig.outcomes.filter(({ signal_id }) => signal_id === id);
        const records = wanted.map((id) => ({ id, outcomes: of(id) }));
        msg.respond(JSON.stringify(rig.recordsAnswer ? { records } : { error: 'away' }));
      },
    });
    return rig;
  }

  async stop(): Promise<void> {
    await this.service.stop();
    await this.bus.close();
    await this.nats.stop();
  }

  another(instance: string): Promise<ServiceHandle> {
    return startKanban(this.nats, instance);
  }

  async ask<T>(subject: string, request: unknown): Promise<T> {
    const reply = await this.bus.nc.request(subject, JSON.stringify(request), { timeout: 30_000 });
    return reply.json<T>();
  }

  list(
    filter: DeadLetterFilter,
    page: Partial<RequestOf<'deadLetters'>> = {},
  ): Promise<ReplyOf<'deadLetters'>> {
    return this.ask(this.bus.names.subjects.deadLetters, { filter, limit: 100, ...page });
  }

  async deadLetterOf(id: string): Promise<ReplyOf<'deadLetter'>['letter']> {
    return (await this.ask<ReplyOf<'deadLetter'>>(this.bus.names.subjects.deadLetter, { id })).letter;
  }

  purge(filter: DeadLetterFilter): Promise<ReplyOf<'purge'>> {
    return this.ask(this.bus.names.subjects.purge, { filter });
  }

  retry(id: string): Promise<ReplyOf<'requeue'>> {
    return this.ask(this.bus.names.subjects.requeue, { id });
  }

  async redrive(order: Partial<RequestOf<'redriveStart'>>): Promise<RedriveJob> {
    const id = `redrive-${(ids += 1)}`;
    const request: RequestOf<'redriveStart'> = { id, filter: {}, probe: [1, 5], max_per_s: 1_000, ...order };
    const started = await this.ask<ReplyOf<'redriveStart'>>(this.bus.names.subjects.redriveStart, request);
    if (!('redrive' in started)) throw new Error(JSON.stringify(started));
    return started.redrive;
  }

  async redriveNow(id: string, given: object = {}): Promise<RedriveJob> {
    const subject = this.bus.names.subjects.redrive;
    return (await this.ask<ReplyOf<'redrive'>>(subject, { id, ...given })).redrive as RedriveJob;
  }

  ended({ id }: Pick<RedriveJob, 'id'>): Promise<RedriveJob> {
    return this.redriveNow(id, { wait_ms: 20_000 });
  }

  /**
   * Writes a dead letter as a worker does, and records its outcome.
   *
   * @param plain without headers, as earlier versions wrote it
   */
  async letter(type: string, given: Partial<Outcome> = {}, plain = false): Promise<string> {
    const id = `dead-${(ids += 1)}`;
    const fixed = { signal_id: id, signal_type: type, status: 'failed', error_class: 'transient' } as const;
    const outcome = sampleOutcome({ ...fixed, ...given });
    const signal: Signal = {
      ...{ v: 1, id, run: outcome.run, signal_type: type, priority: 3, payload: { keep: id } },
      ...{ timeout_ms: 600_000, created_at: outcome.enqueued_at, reply_to: 'somebody.who.left' },
    };
    await this.write({ v: 1, signal, outcome }, plain);
    this.outcomes.push(outcome);
    return id;
  }

  letters(type: string, count: number): Promise<string[]> {
    return Promise.all(Array.from({ length: count }, () => this.letter(type)));
  }

  async write(letter: DeadLetter, plain = false): Promise<void> {
    const { signal_type, trace_id } = letter.outcome;
    const traceparent: [string, string] = ['traceparent', `00-${trace_id}-b7ad6b7169203331-01`];
    const headers = encodeHeaders(
      plain ? [traceparent] : [...deadLetterHeaders(letter.outcome), traceparent],
    );
    const subject = this.bus.names.subjects.dead(signal_type);
    await this.bus.publisher.publish(subject, JSON.stringify(letter), { headers });
  }

  runsOf(wanted: string[]): string[] {
    return this.runs.filter((run) => wanted.includes(run.split(':')[0]!));
  }

  /** Queued runs of a signal. */
  async queued(id: string): Promise<Signal[]> {
    const jsm = await managerOf(this.bus);
    const stream = this.bus.names.streams.kanban;
    const { state } = await jsm.streams.info(stream);
    const found: Signal[] = [];
    for (let seq = state.first_seq; seq <= state.last_seq; seq += 1) {
      const signal = (await jsm.streams.getMessage(stream, { seq }))?.json<Signal>();
      if (signal?.id === id) found.push(signal);
    }
    return found;
  }

  /** Registers the type and runs its signals. */
  async work(type: string): Promise<void> {
    const { bus } = this;
    const types = await openBucket(bus, bus.names.buckets.types, 1);
    const retry = { max_attempts: 3, base_ms: 0, cap_ms: 0 };
    const record = { v: 1, name: type, timeout_ms: 30_000, retry, registered_at: '' };
    await types.put(type, JSON.stringify(record));
    const jsm = await managerOf(bus);
    const stream = bus.names.streams.kanban;
    await waitFor('the lane', () => jsm.consumers.info(stream, laneName(type, 3)).then(Boolean));
    const consumer = await jetstream(bus.nc).consumers.get(stream, laneName(type, 3));
    await consumer.consume({
      max_messages: 10,
      callback: (message) => void this.run(message.json<Signal>()).then(() => message.ack()),
    });
  }

  private async run(signal: Signal): Promise<void> {
    const { id, run, signal_type, reply_to } = signal;
    this.runs.push(`${id}:${run}`);
    const status = this.repaired ? 'succeeded' : 'failed';
    const outcome = sampleOutcome({ signal_id: id, signal_type, run, message: 'again', status });
    if (!outcome.success) await this.write({ v: 1, signal, outcome });
    this.outcomes.push(outcome);
    if (reply_to) this.bus.nc.publish(reply_to, JSON.stringify([outcome]));
  }
}

function startKanban(nats: NatsServer, instance: string): Promise<ServiceHandle> {
  const env = { NATS_URL: nats.url, METRICS_PORT: 'disabled', LOG_LEVEL: 'error', INSTANCE_ID: instance };
  return startService(kanban, { ...env, TPS_KANBAN_BUFFER: '1000' }, (error) => console.error(error));
}
