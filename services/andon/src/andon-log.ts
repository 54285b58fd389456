import { randomUUID } from 'node:crypto';
import {
  type Bus,
  encodeHeaders,
  ensureStream,
  Follower,
  type LogMessage,
  managerOf,
  PublishError,
} from '@tps/bus';
import { type AndonEvent, COLOURS, WIRE_VERSION } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { Light } from './lights';

const WRONG_LAST_SEQUENCE = 10071;

interface Entry {
  event: AndonEvent;
  seq: number;
}

/**
 * The stream ANDON: every change of colour, and by the last one of each line what colour it is known to have. All
 * replicas see the same changes; an append says which entry it follows, so that only one of them is taken.
 */
export class AndonLog {
  private readonly lastOf = new Map<string, Entry>();
  private readonly follower: Follower;

  private constructor(
    private readonly bus: Bus,
    private readonly log: ServiceContext['log'],
    private readonly rebuiltAt: number,
  ) {
    this.follower = new Follower(bus, {
      stream: bus.names.streams.andon,
      onMessage: (message) => this.take(message),
      onError: (error) => log.warn('following the andon log', { error }),
    });
  }

  static async open({ bus, log, config }: ServiceContext): Promise<AndonLog> {
    await ensureStream(bus, 'andon', { replicas: config.TPS_NATS_REPLICAS });
    const { state } = await (await managerOf(bus)).streams.info(bus.names.streams.andon);
    return new AndonLog(bus, log, state.last_seq);
  }

  get rebuilt(): boolean {
    return this.follower.position >= this.rebuiltAt;
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

  /**
   * Records that a line has this colour, unless the log says so already.
   * @returns false when it could not be recorded now
   */
  async append(line: string, light: Light): Promise<boolean> {
    const { colour, rule, reason, trace_id } = light;
    const before = this.lastOf.get(line);
    const was = before?.event.colour ?? 'GREEN';
    if (was === colour) return true;
    const head = { v: WIRE_VERSION, id: randomUUID(), at: new Date(light.sinceMs).toISOString(), line };
    const event: AndonEvent = {
      ...head,
      colour,
      was,
      rule,
      reason,
      ...(trace_id ? { trace_id } : {}),
      by: 'andon',
    };
    const headers = encodeHeaders([
      ['Nats-Msg-Id', `${line}:${colour}:${rule}:${before ? Date.parse(before.event.at) : 0}`],
      ['Nats-Expected-Last-Subject-Sequence', String(before?.seq ?? 0)],
    ]);
    try {
      const ack = await this.bus.publisher.publish(
        this.bus.names.subjects.andon(line),
        JSON.stringify(event),
        {
          headers,
        },
      );
      if (!ack.duplicate) this.keep({ event, seq: ack.seq });
      return true;
    } catch (error) {
      // Another replica was first: what it wrote is on its way here.
      const raced = error instanceof PublishError && error.code === WRONG_LAST_SEQUENCE;
      if (!raced) this.log.warn('change of colour not recorded yet', { line, error });
      return false;
    }
  }

  stop(): Promise<void> {
    return this.follower.stop();
  }

  private take({ seq, msg }: LogMessage): void {
    try {
      const event = msg.json<AndonEvent>();
      if (COLOURS.includes(event.colour) && typeof event.line === 'string') this.keep({ event, seq });
    } catch (error) {
      this.log.warn('andon event skipped: unreadable', { seq, error });
    }
  }

  private keep(entry: Entry): void {
    const { line } = entry.event;
    if ((this.lastOf.get(line)?.seq ?? 0) < entry.seq) this.lastOf.set(line, entry);
  }
}
