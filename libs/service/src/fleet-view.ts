import type { Subscription } from '@nats-io/transport-node';
import type { Bus } from '@tps/bus';
import { type Beat, type Replica, type ServiceName, SERVICES } from '@tps/contracts';

export const BEAT_MS = 1_000;
/** A process that said nothing for this long is taken for gone. */
export const SILENT_MS = 3_500;

export interface Station {
  up: boolean;
  replicas: number;
}

/** Who is there, by the beats that every process sends. Times are by the local clock: the senders' may differ. */
export class FleetView {
  private readonly beats = new Map<string, { beat: Beat; heardMs: number }>();
  private readonly subscription: Subscription;

  /** @param only whose beats are listened to; by default everybody's */
  constructor(
    bus: Bus,
    private readonly now: () => number = Date.now,
    only: ServiceName | '*' = '*',
  ) {
    this.subscription = bus.nc.subscribe(bus.names.subjects.beat(only), {
      callback: (_, msg) => {
        try {
          this.hear(msg.json<Beat>());
        } catch {
          // Not a beat. Thrown in a callback it would end the connection of everyone who listens.
        }
      },
    });
  }

  hear(beat: Beat): void {
    this.beats.set(`${beat.service}/${beat.instance}`, { beat, heardMs: this.now() });
  }

  /** Living processes of a service. */
  of<V = Record<string, unknown>>(service: ServiceName): Beat<V>[] {
    const oldest = this.now() - SILENT_MS;
    const alive: Beat<V>[] = [];
    for (const [key, { beat, heardMs }] of this.beats) {
      if (heardMs < oldest) this.beats.delete(key);
      else if (beat.service === service) alive.push(beat as Beat<V>);
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

  stations(): Record<ServiceName, Station> {
    const entries = SERVICES.map((service) => {
      const ready = this.of(service).filter((beat) => beat.ready).length;
      return [service, { up: ready > 0, replicas: ready }] as const;
    });
    return Object.fromEntries(entries) as Record<ServiceName, Station>;
  }

  close(): void {
    this.subscription.unsubscribe();
  }
}
