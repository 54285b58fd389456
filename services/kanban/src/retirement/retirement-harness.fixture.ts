import type { StoredMsg } from '@nats-io/jetstream';
import { type KvView, managerOf, openView } from '@tps/bus';
import {
  type Heartbeat,
  type EnqueueVerdict,
  laneName,
  type Names,
  PRIORITIES,
  type ReplyOf,
  type RequestOf,
  type ServiceName,
  type Signal,
  type TypeRecord,
} from '@tps/contracts';
import type { ServiceHandle } from '@tps/service';
import { waitFor } from '@tps/testkit';
import { DeadLetterHarness } from '../dead-letters/dead-letter-harness.fixture';

const HEARTBEAT_MS = 500;
/** Services that keep data of a type, and the request to each of them. */
const KEEPERS = [
  ['jidoka', 'retireCircuit'],
  ['andon', 'retireLine'],
  ['heijunka', 'retireLevels'],
] as const;
type Keeper = (typeof KEEPERS)[number][0];

let ids = 0;

/** Two real kanban processes on a real broker, with fakes of the services that keep data of a type. */
export class RetirementHarness {
  /** The requests that the fakes received. */
  readonly told: [Keeper, RequestOf<'retireLine'>][] = [];
  /** Fakes that do not answer. */
  readonly silent = new Set<Keeper>();
  /** Living workers, and the type that each of them serves. */
  readonly workers = new Map<string, string>();
  /** Called when a fake receives a request. */
  onTold: () => Promise<unknown> = async () => undefined;
  private readonly beats: NodeJS.Timeout;

  private constructor(
    readonly dead: DeadLetterHarness,
    readonly types: KvView<TypeRecord>,
    public second: ServiceHandle,
  ) {
    const { nc } = dead.bus;
    for (const [keeper, request] of KEEPERS) {
      nc.subscribe(this.subjects[request], {
        callback: (_, msg) => {
          this.told.push([keeper, msg.json<RequestOf<'retireLine'>>()]);
          if (this.silent.has(keeper)) return;
          void this.onTold().then(() => msg.respond(JSON.stringify({ done: true })));
        },
      });
    }
    this.beats = setInterval(() => this.beat(), HEARTBEAT_MS);
    this.beat();
  }

  static async start(): Promise<RetirementHarness> {
    const dead = await DeadLetterHarness.start();
    const options = { replicas: 1, onError: () => undefined };
    const types = await openView(dead.bus, 'types', options);
    return new RetirementHarness(dead, types, await dead.another('kanban-2'));
  }

  async stop(): Promise<void> {
    clearInterval(this.beats);
    this.types.close();
    await this.second.stop();
    await this.dead.stop();
  }

  get subjects(): Names['subjects'] {
    return this.dead.bus.names.subjects;
  }

  /** Announces a type as a worker does. Its lanes exist when this resolves. */
  async announce(name: string): Promise<TypeRecord> {
    const retry = { max_attempts: 3, base_ms: 200, cap_ms: 30_000 };
    const registered_at = new Date().toISOString();
    const record: TypeRecord = { v: 1, name, timeout_ms: 30_000, retry, registered_at };
    await this.types.put(name, record);
    await waitFor('its lanes', async () => (await this.lanes(name)).length === PRIORITIES.length);
    return record;
  }

  retire(signal_type: string, given: { by?: string; reason?: string } = {}): Promise<ReplyOf<'retire'>> {
    return this.dead.ask(this.subjects.retire, { signal_type, by: 'bob', ...given });
  }

  /** Waits until the record of the type is in this phase, or in a later one. */
  async marked(type: string, phase: 'checking' | 'removing'): Promise<void> {
    const later = ['removing', 'done', ...(phase === 'checking' ? ['checking'] : [])];
    await waitFor('the mark', () => later.includes(this.types.get(type)?.retired?.phase ?? ''), {
      everyMs: 1,
    });
  }

  async enqueue(signal_type: string, given: Partial<Signal> = {}): Promise<EnqueueVerdict> {
    const answer = await this.dead.ask<1 | EnqueueVerdict[]>(this.subjects.enqueue, [
      this.signal(signal_type, given),
    ]);
    return answer === 1 ? { ok: true } : answer[0]!;
  }

  signal(signal_type: string, given: Partial<Signal> = {}): Signal {
    const fixed = { v: 1, id: `s-${(ids += 1)}`, run: 0, signal_type, priority: 3, payload: {} } as const;
    return { ...fixed, timeout_ms: 600_000, created_at: new Date().toISOString(), ...given };
  }

  async lanes(type: string): Promise<string[]> {
    const jsm = await managerOf(this.dead.bus);
    const own = PRIORITIES.map((priority) => laneName(type, priority));
    const found: string[] = [];
    for await (const { name } of jsm.consumers.list(this.dead.bus.names.streams.kanban)) {
      if (own.includes(name)) found.push(name);
    }
    return found;
  }

  /** Signals of the type that its lanes would deliver. */
  async waiting(type: string): Promise<number> {
    const jsm = await managerOf(this.dead.bus);
    let waiting = 0;
    for (const lane of await this.lanes(type)) {
      waiting += (await jsm.consumers.info(this.dead.bus.names.streams.kanban, lane)).num_pending;
    }
    return waiting;
  }

  /** Removes every signal of the type from the queue. */
  async drain(type: string): Promise<void> {
    const jsm = await managerOf(this.dead.bus);
    const stream = this.dead.bus.names.streams.kanban;
    const query = { seq: 1, next_by_subj: this.subjects.work(type, '*', '*') };
    const next = (): Promise<StoredMsg | null> => jsm.streams.getMessage(stream, query);
    for (let message = await next(); message; message = await next()) {
      await jsm.streams.deleteMessage(stream, message.seq, false);
    }
  }

  private beat(): void {
    for (const [service] of KEEPERS) this.say(service, `${service}-1`, {});
    for (const [instance, type] of this.workers) this.say('worker', instance, { slots: 1, types: [type] });
  }

  private say(service: ServiceName, instance: string, vitals: Record<string, unknown>): void {
    const at = new Date().toISOString();
    const beat: Heartbeat = { v: 1, service, instance, started_at: at, at, ready: true, vitals };
    this.dead.bus.nc.publish(this.subjects.heartbeat(service), JSON.stringify(beat));
  }
}
