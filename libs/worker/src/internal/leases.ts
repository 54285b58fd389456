import { nuid, RequestError, type Subscription } from '@nats-io/transport-node';
import { type Bus, type KvView, openView, restoreMissing } from '@tps/bus';
import { type LeasesRecord, WIRE_VERSION } from '@tps/contracts';
import { FleetView, SILENT_MS } from '@tps/fleet';

/** The counts in the record by which a worker decides how much to lease. */
export interface LeaseCounts {
  mine: number;
  /** The part of `mine` that is not being given up at present. */
  kept: number;
  leased: number;
  /** A holder was lost since the last write, so its last starts are unknown. */
  lost: boolean;
  nextMs: number;
}
export interface LeaseDecision {
  held: number;
  nextMs?: number;
}

export interface LeasesOptions {
  instance: string;
  replicas: number;
  /** The lease of a worker on its signals. */
  leaseMs: number;
  onChange: (key: string) => void;
  onError: (error: unknown) => void;
}

interface SilentHolder {
  sinceMs: number;
  probing: boolean;
}

const PROBE_MS = 500;
const MAX_TRIES = 16;

/**
 * Fleet-wide leases on limited resources: cards, and the lead of a rate. All workers write by compare-and-set, so together
 * they never lease more than each of them checked. A silent holder loses its lease when the broker has no connection of
 * it any more, and at the latest when its leases on signals end.
 */
export class Leases {
  private readonly address: string;
  private readonly subscription: Subscription;
  private readonly fleet: FleetView;
  private readonly offReconnect: () => void;
  private readonly writing = new Map<string, Promise<void>>();
  /** Decisions that are being written. They may be in force although the view does not show them yet. */
  private readonly decided = new Map<string, number>();
  /** By key and address: holders without heartbeats, and holders that are gone but still in the record. */
  private readonly silent = new Map<string, SilentHolder>();
  private readonly gone = new Set<string>();
  private heardFromMs = Date.now();
  private view!: KvView<LeasesRecord>;

  private constructor(
    private readonly bus: Bus,
    private readonly options: LeasesOptions,
  ) {
    this.address = bus.names.subjects.workerAlive(nuid.next());
    this.subscription = bus.nc.subscribe(this.address, { callback: (_, msg) => void msg.respond() });
    this.fleet = new FleetView(bus, { only: 'worker', onError: options.onError });
    // While this worker was disconnected it heard nobody.
    this.offReconnect = bus.onReconnect(() => {
      this.heardFromMs = Date.now();
      this.silent.clear();
    });
  }

  static async open(bus: Bus, options: LeasesOptions): Promise<Leases> {
    const leases = new Leases(bus, options);
    leases.view = await openView(bus, 'leases', {
      replicas: options.replicas,
      onError: options.onError,
      onChange: (key) => leases.changed(key),
      restore: restoreMissing,
    });
    return leases;
  }

  countsOf(key: string): LeaseCounts {
    const record = this.view?.get(key);
    const { instance } = this.options;
    let mine = 0;
    let leased = 0;
    let lost = false;
    for (const [worker, { held, address }] of Object.entries(record?.holders ?? {})) {
      // A holder of the same name with another address was an earlier process of this worker.
      if (this.gone.has(place(key, address)) || (worker === instance && address !== this.address))
        lost = true;
      else leased += held;
      if (address === this.address) mine = held;
    }
    const kept = Math.min(mine, this.decided.get(key) ?? mine);
    return { mine, kept, leased, lost, nextMs: record?.next_ms ?? 0 };
  }

  /** Number of other workers that serve the type and have a free slot, by their last heartbeats. */
  readyOthers(type: string): number {
    const ready = this.fleet.of('worker').filter(({ instance, vitals }) => {
      return instance !== this.options.instance && vitals.busy < vitals.slots && vitals.types.includes(type);
    });
    return ready.length;
  }

  /**
   * Writes what `decide` returns, until that is what the record says. `decide` is called again whenever another worker
   * wrote first. A call during a write waits for that write, which sees the change.
   */
  settle(key: string, decide: (counts: LeaseCounts) => LeaseDecision): Promise<void> {
    const under = this.writing.get(key);
    if (under) return under;
    const writing = this.write(key, decide)
      .catch(this.options.onError)
      .finally(() => this.writing.delete(key));
    this.writing.set(key, writing);
    return writing;
  }

  /** Looks for holders that are gone; called regularly. */
  watch(key: string, nowMs: number): void {
    if (nowMs - this.heardFromMs < SILENT_MS) return;
    const alive = new Set(this.fleet.of('worker').map(({ instance }) => instance));
    for (const [worker, { address }] of Object.entries(this.view.get(key)?.holders ?? {})) {
      if (alive.has(worker)) this.silent.delete(place(key, address));
      else if (address !== this.address) void this.probe(key, address, nowMs);
    }
  }

  close(): void {
    this.view.close();
    this.fleet.close();
    this.offReconnect();
    this.subscription.unsubscribe();
  }

  private async write(key: string, decide: (counts: LeaseCounts) => LeaseDecision): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const counts = this.countsOf(key);
      const decision = decide(counts);
      this.decided.delete(key);
      if (decision.held === counts.mine && !counts.lost) return;
      // Stays if the write gets no answer: until the next decision it is unknown whether it is in force.
      this.decided.set(key, decision.held);
      const entry = this.view.entry(key);
      const next = this.after(key, entry?.value, decision);
      if ((await this.view.compareAndSet(key, next, entry?.revision ?? 0)) === null)
        await this.view.read(key);
      this.decided.delete(key);
    }
  }

  private changed(key: string): void {
    const here = Object.values(this.view?.get(key)?.holders ?? {}).map(({ address }) => place(key, address));
    for (const kept of [this.gone, this.silent]) {
      for (const old of kept.keys()) if (old.startsWith(`${key} `) && !here.includes(old)) kept.delete(old);
    }
    this.options.onChange(key);
  }

  private after(
    key: string,
    record: LeasesRecord | undefined,
    { held, nextMs }: LeaseDecision,
  ): LeasesRecord {
    const { instance } = this.options;
    const others = Object.entries(record?.holders ?? {}).filter(
      ([worker, { address }]) => worker !== instance && !this.gone.has(place(key, address)),
    );
    const holders = Object.fromEntries(others);
    if (held > 0) holders[instance] = { held, address: this.address };
    const next_ms = nextMs ?? record?.next_ms;
    return { v: WIRE_VERSION, holders, ...(next_ms === undefined ? {} : { next_ms }) };
  }

  private async probe(key: string, address: string, nowMs: number): Promise<void> {
    const at = place(key, address);
    const silence = this.silent.get(at) ?? { sinceMs: nowMs, probing: false };
    this.silent.set(at, silence);
    if (silence.probing || this.gone.has(at)) return;
    silence.probing = true;
    const connected = await this.isConnected(address);
    silence.probing = false;
    // A silent holder that is connected may only be busy. Its leases on signals end after this time, too.
    const waits = connected && nowMs - silence.sinceMs < this.options.leaseMs - SILENT_MS;
    if (waits || this.silent.get(at) !== silence) return;
    this.gone.add(at);
    this.options.onChange(key);
  }

  private isConnected(address: string): Promise<boolean> {
    const request = this.bus.nc.request(address, '', { timeout: PROBE_MS });
    return request.then(
      Boolean,
      (error: unknown) => !(error instanceof RequestError && error.isNoResponders()),
    );
  }
}

function place(key: string, address: string): string {
  return `${key} ${address}`;
}
