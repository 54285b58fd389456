import type { Subscription } from '@nats-io/transport-node';
import type { Bus } from '@tps/bus';
import {
  type Heartbeat,
  type LostState,
  type MissingProcess,
  parseHeartbeat,
  type Replica,
  type ServiceName,
  SERVICES,
} from '@tps/contracts';

/** A process that is silent for this long counts as gone, in milliseconds. */
export const SILENT_MS = 3_500;
/** A process that has been missing for so long is not coming back. */
const MISSED_MS = 600_000;

/** How many processes of one service live, and whether that is any at all. */
export interface StationPresence {
  up: boolean;
  replicas: number;
}

/** The heartbeats that a FleetView listens to, and whom it tells of unreadable ones. */
export interface FleetViewOptions {
  /** Called with a `MessageError` for each heartbeat that cannot be read. */
  onError: (error: unknown) => void;
  /** The clock. Default: `Date.now`. */
  now?: () => number;
  /** Listen to the heartbeats of this service only. Default: all. */
  only?: ServiceName | '*';
}

/** Knows the living processes by their heartbeats. Times are by the local clock, since those of the senders may differ. */
export class FleetView {
  private readonly beats = new Map<string, { beat: Heartbeat; heardMs: number }>();
  /** Processes that fell silent without a farewell, and since when. */
  private readonly missed = new Map<string, { service: ServiceName; instance: string; sinceMs: number }>();
  private readonly subscription: Subscription;
  private readonly openedMs: number;

  private readonly now: () => number;

  constructor(bus: Bus, { onError, now = Date.now, only = '*' }: FleetViewOptions) {
    this.now = now;
    this.openedMs = now();
    this.subscription = bus.nc.subscribe(bus.names.subjects.heartbeat(only), {
      callback: (_, msg) => {
        try {
          this.onHeartbeat(parseHeartbeat(msg));
        } catch (error) {
          // An error thrown in a callback would end the connection of the whole process.
          onError(error);
        }
      },
    });
  }

  onHeartbeat(beat: Heartbeat): void {
    const key = `${beat.service}/${beat.instance}`;
    if (!this.beats.has(key)) this.replace(key, beat.service);
    this.beats.set(key, { beat, heardMs: this.now() });
    // A new view cannot miss a process that it never heard; it learns of those from an andon that is older.
    const isNew = this.now() - this.openedMs < SILENT_MS;
    if (isNew && isOf(beat, 'andon')) this.learn(beat.vitals.missed);
  }

  /** Living processes of a service. */
  of<S extends ServiceName>(service: S): Heartbeat<S>[] {
    const oldest = this.now() - SILENT_MS;
    const alive: Heartbeat<S>[] = [];
    for (const [key, { beat, heardMs }] of this.beats) {
      if (heardMs < oldest) this.drop(key, beat);
      else if (isOf(beat, service)) alive.push(beat);
    }
    return alive;
  }

  /** Processes of a service that are there to stay, and how long ago each was heard. */
  replicas(service: ServiceName): Replica[] {
    const now = this.now();
    const staying = this.of(service).filter(({ leaving }) => !leaving);
    return staying.map(({ instance, ready, started_at }) => {
      const heardMs = this.beats.get(`${service}/${instance}`)?.heardMs ?? now;
      return { instance, ready, started_at, silent_ms: Math.max(0, now - heardMs) };
    });
  }

  /** Counts the processes of a service that were killed, cut off or hung lately, and that none replaced. */
  lost(service: ServiceName): number {
    this.of(service); // notices processes that fell silent just now
    const oldest = this.now() - MISSED_MS;
    let lost = 0;
    for (const [key, missed] of this.missed) {
      if (missed.sinceMs < oldest) this.missed.delete(key);
      else if (missed.service === service) lost += 1;
    }
    return lost;
  }

  /** The streams and buckets that living processes saw the broker lose within the last ten minutes, each loss once. */
  lostState(): LostState[] {
    const losses = new Map<string, LostState>();
    for (const service of SERVICES) {
      for (const loss of this.of(service).flatMap(({ lost }) => lost ?? [])) {
        const key = `${loss.name} ${loss.life}`;
        const known = losses.get(key);
        const entries = Math.max(known?.entries ?? 0, loss.entries ?? 0);
        const gone = known?.gone ?? loss.gone;
        losses.set(key, { ...loss, entries, ...(gone ? { gone } : {}) });
      }
    }
    return [...losses.values()];
  }

  /** The processes that it misses, for views that have just started. */
  missing(): MissingProcess[] {
    const now = this.now();
    return [...this.missed.values()].map(({ service, instance, sinceMs }) => {
      return { service, instance, ms: now - sinceMs };
    });
  }

  stations(): Record<ServiceName, StationPresence> {
    const entries = SERVICES.map((service) => {
      const ready = this.of(service).filter((beat) => beat.ready).length;
      return [service, { up: ready > 0, replicas: ready }] as const;
    });
    return Object.fromEntries(entries) as Record<ServiceName, StationPresence>;
  }

  private drop(key: string, { service, instance, leaving }: Heartbeat): void {
    this.beats.delete(key);
    if (!leaving) this.missed.set(key, { service, instance, sinceMs: this.now() });
  }

  private learn(missed: readonly MissingProcess[]): void {
    for (const { service, instance, ms } of missed) {
      const key = `${service}/${instance}`;
      const isKnown = this.beats.has(key) || this.missed.has(key);
      if (!isKnown) this.missed.set(key, { service, instance, sinceMs: this.now() - ms });
    }
  }

  /** A newcomer takes the place of its namesake, or else of whoever is missed longest. */
  private replace(key: string, service: ServiceName): void {
    if (this.missed.delete(key)) return;
    const longest = [...this.missed].find(([, missed]) => missed.service === service);
    if (longest) this.missed.delete(longest[0]);
  }

  close(): void {
    this.subscription.unsubscribe();
  }
}

function isOf<S extends ServiceName>(beat: Heartbeat, service: S): beat is Heartbeat<S> {
  return beat.service === service;
}
