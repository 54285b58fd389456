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
import { eventKey } from './call-events';
import type { AndonHistory } from './andon-history';
import { isRecorded, type Light, type RecordedLight } from './light';

const WRONG_LAST_SEQUENCE = 10071;

interface Entry {
  event: AndonEvent;
  seq: number;
}

/** The latest event of a line, and the light that its events tell. */
interface LastEntry extends Entry {
  /** Since when the line has the colour of its last event. */
  sinceMs: number;
  recorded: RecordedLight;
}

const NOTHING_RECORDED: RecordedLight = { colour: 'GREEN', rule: 'within_limits' };

/**
 * The stream ANDON: every change of a light and every act of a person. The events of a line say what is known about its
 * light. All replicas see the same facts; a change names the event that it follows, so the stream takes only one of them.
 */
export class AndonLog {
  private readonly lastOf = new Map<string, LastEntry>();
  /** Acts that the stream has. An act that is written again after a crash is appended once. */
  private acts = new TwoGenerationMap<true>(10_000);
  private readonly follower: Follower;
  private readonly bus: Bus;
  private readonly log: ServiceContext['log'];

  private constructor(
    context: ServiceContext,
    private readonly history: AndonHistory,
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

  static async open(context: ServiceContext, history: AndonHistory): Promise<AndonLog> {
    const { bus } = context;
    await ensureLog(context);
    const { state } = await (await managerOf(bus)).streams.info(bus.names.streams.andon);
    return new AndonLog(context, history, state.last_seq);
  }

  get rebuilt(): boolean {
    return this.follower.position >= this.rebuiltAt;
  }

  /** Creation time of the stream. Another stream begins empty. */
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

  /** The light of a line by its events; undefined for a line without any. */
  light(line: string): Light | undefined {
    const last = this.lastOf.get(line);
    if (!last) return undefined;
    const { rule, reason, colour, trace_id } = last.event;
    const { about, circuit } = last.recorded;
    return {
      ...{ colour, rule, reason, sinceMs: last.sinceMs, better: 0 },
      ...(trace_id ? { trace_id } : {}),
      ...(about ? { about } : {}),
      ...(circuit ? { circuit } : {}),
    };
  }

  /** Whether the history has an event with this id. */
  knows(id: string): boolean {
    return this.history.knows(id);
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
   * Records the light of a line, unless the log has it already.
   * @param id the call or circuit behind it, if any
   * @returns false when it could not be recorded now
   */
  async recordColour(
    line: string,
    light: Light,
    { id, nowMs }: { id: string | undefined; nowMs: number },
  ): Promise<boolean> {
    const before = this.lastOf.get(line);
    const recorded = before?.recorded ?? NOTHING_RECORDED;
    if (isRecorded(recorded, light)) return true;
    const { colour, rule, trace_id, about, circuit } = light;
    const event: AndonEvent = {
      ...{ v: WIRE_VERSION, id: id ?? this.idOf(line) ?? randomUUID(), event: 'changed' },
      // Another rule behind the same colour is new now; the colour is older.
      at: new Date(recorded.colour === colour ? nowMs : light.sinceMs).toISOString(),
      ...{ line, colour, was: recorded.colour, rule, reason: reasonOf(light, recorded) },
      ...(about ? { about } : {}),
      ...(circuit ? { circuit } : {}),
      ...(trace_id ? { trace_id } : {}),
      by: 'andon',
    };
    const key = [line, colour, rule, before ? Date.parse(before.event.at) : 0, about, circuit];
    try {
      await this.append(event, [
        ['Nats-Msg-Id', key.filter((part) => part !== undefined).join(':')],
        ['Nats-Expected-Last-Subject-Sequence', String(before?.seq ?? 0)],
      ]);
      return true;
    } catch (error) {
      // Another replica was first: its event is on the way here.
      const raced = error instanceof PublishError && error.code === WRONG_LAST_SEQUENCE;
      if (!raced) this.log.warn('change of a light not recorded yet', { line, error });
      return false;
    }
  }

  /**
   * Records an act on a line, once however often it is tried. The event follows the last one, so `was` is the colour that
   * the board showed until now.
   * @throws PublishError
   */
  async recordAct(event: AndonEvent): Promise<void> {
    const key = eventKey(event);
    if (this.acts.has(key)) return;
    const was = this.last(event.line)?.colour ?? 'GREEN';
    await this.append({ ...event, was }, [['Nats-Msg-Id', key]]);
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
    if (ack.duplicate) return;
    this.keep({ event, seq: ack.seq });
    const { line, event: what, colour, rule, reason, by, level } = event;
    const severity = colour === 'RED' || what === 'overdue' ? 'warn' : 'info';
    this.log[severity]('andon event', {
      line,
      event: what,
      colour,
      rule,
      reason,
      by,
      ...(level ? { level } : {}),
    });
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

  private keep({ event, seq }: Entry): void {
    if (event.event !== 'changed') this.acts.set(eventKey(event), true);
    const before = this.lastOf.get(event.line);
    if (before && before.seq >= seq) return;
    const isSame = before?.event.colour === event.colour;
    const sinceMs = before && isSame ? before.sinceMs : Date.parse(event.at);
    this.lastOf.set(event.line, {
      event,
      seq,
      sinceMs,
      recorded: recordedBy(event, before?.recorded ?? NOTHING_RECORDED),
    });
  }
}

/** The light that the history tells after this event. An act tells the colour, and for a latch also the circuit. */
function recordedBy(
  { event, colour, rule, about, circuit }: AndonEvent,
  before: RecordedLight,
): RecordedLight {
  if (event === 'retired') return NOTHING_RECORDED;
  if (event !== 'changed') return { ...before, colour, ...(circuit ? { circuit } : {}) };
  return { colour, rule, ...(about ? { about } : {}), ...(circuit ? { circuit } : {}) };
}

/** Another rule may hide a step of the circuit: then the reason of the event tells it, too. */
function reasonOf({ colour, kind, circuit, circuitReason, reason }: Light, recorded: RecordedLight): string {
  const isHidden = kind === undefined && colour !== 'GREEN' && circuit !== recorded.circuit;
  if (!isHidden) return reason;
  const step = circuit === undefined ? 'the circuit closed' : 'the circuit is not closed';
  return `${circuitReason ? `${step}: ${circuitReason}` : step}; ${reason}`;
}

function ensureLog({ bus, config }: ServiceContext): Promise<void> {
  return ensureStream(bus, 'andon', { replicas: config.TPS_NATS_REPLICAS });
}
