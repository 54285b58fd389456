import { randomUUID } from 'node:crypto';
import {
  type Bus,
  encodeHeaders,
  ensureStream,
  Follower,
  type LogMessage,
  type LogStart,
  managerOf,
  PublishError,
} from '@tps/bus';
import { type AndonEvent, parseAndonEvent, WIRE_VERSION } from '@tps/contracts';
import { TwoGenerationMap } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { History } from './history';
import type { Light } from './lights';

const WRONG_LAST_SEQUENCE = 10071;

interface Entry {
  event: AndonEvent;
  seq: number;
}

/**
 * The stream ANDON: every change of colour and every act of a person, and by the last one of each line what colour it
 * is known to have. All replicas see the same facts; a change of colour says which entry it follows, so that only one
 * of them is taken.
 */
export class AndonLog {
  private readonly lastOf = new Map<string, Entry>();
  /** Acts that the stream has: one that is written again after a crash is not told twice. */
  private acts = new TwoGenerationMap<true>(10_000);
  private readonly follower: Follower;
  private readonly bus: Bus;
  private readonly log: ServiceContext['log'];

  private constructor(
    context: ServiceContext,
    private readonly history: History,
    private rebuiltAt: number,
  ) {
    const { bus, log } = context;
    this.bus = bus;
    this.log = log;
    this.follower = new Follower(bus, {
      stream: bus.names.streams.andon,
      ensure: () => ensureLog(context),
      onStart: (start) => start.replaced && this.restart(start),
      onMessage: (message) => this.take(message),
      onError: (error) => log.warn('following the andon log', { error }),
    });
  }

  static async open(context: ServiceContext, history: History): Promise<AndonLog> {
    const { bus } = context;
    await ensureLog(context);
    const { state } = await (await managerOf(bus)).streams.info(bus.names.streams.andon);
    return new AndonLog(context, history, state.last_seq);
  }

  get rebuilt(): boolean {
    return this.follower.position >= this.rebuiltAt;
  }

  /** Creation time of the stream: another one begins empty. */
  get created(): string | undefined {
    return this.follower.created;
  }

  get position(): number {
    return this.follower.position;
  }

  caughtUp(limitMs: number): Promise<boolean> {
    return this.follower.caughtUp(limitMs);
  }

  last(line: string): AndonEvent | undefined {
    return this.lastOf.get(line)?.event;
  }

  /** Lines and stations whose last recorded colour is not GREEN. */
  abnormal(): string[] {
    return [...this.lastOf.values()]
      .filter(({ event }) => event.colour !== 'GREEN')
      .map(({ event }) => event.line);
  }

  /** Names the time since a line was GREEN; undefined while it is. */
  idOf(line: string): string | undefined {
    const last = this.last(line);
    return last && last.colour !== 'GREEN' ? last.id : undefined;
  }

  /**
   * Records that a line has this colour, unless the log says so already.
   * @param id of the call or circuit behind it, if any
   * @returns false when it could not be recorded now
   */
  async change(line: string, light: Light, id?: string): Promise<boolean> {
    const { colour, rule, reason, trace_id } = light;
    const before = this.lastOf.get(line);
    const was = before?.event.colour ?? 'GREEN';
    if (was === colour) return true;
    const event: AndonEvent = {
      ...{ v: WIRE_VERSION, id: id ?? this.idOf(line) ?? randomUUID(), event: 'changed' },
      ...{ at: new Date(light.sinceMs).toISOString(), line, colour, was, rule, reason },
      ...(trace_id ? { trace_id } : {}),
      by: 'andon',
    };
    try {
      await this.append(event, [
        ['Nats-Msg-Id', `${line}:${colour}:${rule}:${before ? Date.parse(before.event.at) : 0}`],
        ['Nats-Expected-Last-Subject-Sequence', String(before?.seq ?? 0)],
      ]);
      return true;
    } catch (error) {
      // Another replica was first: what it wrote is on its way here.
      const raced = error instanceof PublishError && error.code === WRONG_LAST_SEQUENCE;
      if (!raced) this.log.warn('change of colour not recorded yet', { line, error });
      return false;
    }
  }

  /**
   * Records what was done to a line, once however often it is tried.
   * @throws PublishError
   */
  async act(event: AndonEvent): Promise<void> {
    const key = actKey(event);
    if (!this.acts.has(key)) await this.append(event, [['Nats-Msg-Id', key]]);
  }

  stop(): Promise<void> {
    return this.follower.stop();
  }

  private restart({ lastSeq }: LogStart): void {
    this.lastOf.clear();
    this.acts = new TwoGenerationMap(10_000);
    this.history.restart();
    this.rebuiltAt = lastSeq;
  }

  private async append(event: AndonEvent, headers: [string, string][]): Promise<void> {
    const subject = this.bus.names.subjects.andon(event.line);
    const options = { headers: encodeHeaders(headers) };
    const ack = await this.bus.publisher.publish(subject, JSON.stringify(event), options);
    if (!ack.duplicate) this.keep({ event, seq: ack.seq });
  }

  private take({ seq, msg }: LogMessage): void {
    try {
      const event = parseAndonEvent(msg, `event ${seq}`);
      this.history.add(event, seq);
      this.keep({ event, seq });
    } catch (error) {
      this.log.warn('andon event skipped: unreadable', { seq, error });
    }
  }

  private keep(entry: Entry): void {
    const { line, event } = entry.event;
    if (event !== 'changed') this.acts.set(actKey(entry.event), true);
    if ((this.lastOf.get(line)?.seq ?? 0) < entry.seq) this.lastOf.set(line, entry);
  }
}

function ensureLog({ bus, config }: ServiceContext): Promise<void> {
  return ensureStream(bus, 'andon', { replicas: config.TPS_NATS_REPLICAS });
}

function actKey({ id, event, at }: AndonEvent): string {
  return `${id}:${event}:${at}`;
}
