import {
  type Cards,
  cardsLease,
  type CardsRecord,
  rateLease,
  type RateRecord,
  type ScheduleRecord,
} from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { WorkerConfig } from '../worker-setup';
import { cardShare, type CardPosition, usableCards } from './card-share';
import { type LeaseCounts, Leases } from './leases';
import { RateLimiter } from './rate-limiter';

/** The worker's load, as far as limits need it. */
export interface WorkerLoad {
  /** Signals of a type that were requested or are in flight. */
  claimed(type: string): number;
  readonly freeSlots: number;
  /** Called when more signals may be taken than before. */
  onRoom(): void;
}

/**
 * Bounds how many signals of a limited type this worker takes, so that the limit holds over all lanes and workers.
 * Workers lease cards from one record per type. One worker at a time leads a rate: it holds the type's rate lease, alone
 * starts signals of the type, evenly spaced, and passes the lease on when it has no slot or card for the next signal.
 * A type without limits costs a comparison.
 */
export class Limits {
  private readonly set = new Map<string, Cards>();
  private readonly limiters = new Map<string, RateLimiter>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private advice: Readonly<Record<string, number>> = {};
  private leases: Leases | undefined;
  private opening: Promise<void> | undefined;
  private slots: number;

  constructor(
    private readonly context: ServiceContext<WorkerConfig>,
    private readonly types: ReadonlySet<string>,
    private readonly load: WorkerLoad,
  ) {
    this.slots = context.config.TPS_NUM_WORKERS;
  }

  setCards(type: string, record: CardsRecord | undefined): void {
    if (!this.types.has(type)) return;
    if (record) this.set.set(type, record.cards);
    else this.set.delete(type);
    this.changed(type);
  }

  /** The numbers of cards that `auto` follows. */
  setAdvice(schedule: ScheduleRecord | undefined): void {
    this.advice = schedule?.cards ?? {};
    for (const [type, cards] of this.set) if (cards === 'auto') this.changed(type);
  }

  setRate(type: string, record: RateRecord | undefined): void {
    if (!this.types.has(type)) return;
    const before = this.limiters.get(type);
    const now = Date.now();
    if (record)
      this.limiters.set(type, new RateLimiter(record.max_per_s, Math.min(before?.nextMs ?? now, now)));
    else this.limiters.delete(type);
    this.changed(type);
  }

  /** How many more signals of the type may be taken now. */
  free(type: string, nowMs: number): number {
    if (this.set.size === 0 && this.limiters.size === 0) return Infinity;
    return Math.min(this.freeCards(type), this.freeStarts(type, nowMs));
  }

  /** A signal of the type is requested. */
  take(type: string, nowMs: number): void {
    const limiter = this.limiters.get(type);
    if (!limiter) return;
    limiter.take(nowMs);
    this.wakeAt(type, limiter.nextMs);
  }

  /** A requested signal did not come. */
  refund(type: string): void {
    this.limiters.get(type)?.refund();
  }

  /** A signal of the type has left this worker's load. */
  onFinished(type: string): void {
    if (!this.set.has(type)) return;
    void this.settle(type);
    this.load.onRoom();
  }

  tick(nowMs: number): void {
    for (const type of this.limited()) {
      for (const key of [cardsLease(type), rateLease(type)]) this.leases?.watch(key, nowMs);
      void this.settle(type);
    }
  }

  /** Takes nothing from now on, and releases unused cards to the other workers. */
  async release(): Promise<void> {
    this.slots = 0;
    await Promise.all([...this.limited()].map((type) => this.settle(type)));
  }

  close(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.leases?.close();
  }

  private limited(): Set<string> {
    return new Set([...this.set.keys(), ...this.limiters.keys()]);
  }

  private limitOf(type: string): number | undefined {
    const cards = this.set.get(type);
    return cards === 'auto' ? this.advice[type] : cards;
  }

  private freeCards(type: string): number {
    const limit = this.limitOf(type);
    if (limit === undefined) return Infinity;
    const counts = this.leases?.countsOf(cardsLease(type));
    if (!counts) return 0;
    const position = this.position(type, limit, counts);
    // Cards that are being given up must not be used again.
    return Math.max(0, Math.min(counts.kept, usableCards(position)) - position.claimed);
  }

  private freeStarts(type: string, nowMs: number): number {
    const limiter = this.limiters.get(type);
    if (!limiter) return Infinity;
    return this.leases?.countsOf(rateLease(type)).kept ? limiter.ready(nowMs) : 0;
  }

  private cardsToHold(type: string, counts: LeaseCounts): number {
    const limit = this.limitOf(type);
    return limit === undefined ? 0 : cardShare(this.position(type, limit, counts));
  }

  private position(type: string, limit: number, { mine, leased }: LeaseCounts): CardPosition {
    const claimed = this.load.claimed(type);
    const ready = this.load.freeSlots > 0;
    return { limit, mine, leased, claimed, slots: this.slots, ready, readyOthers: this.readyOthers(type) };
  }

  private leadsToHold(type: string, { mine, leased }: LeaseCounts): number {
    if (!this.limiters.has(type)) return 0;
    const ready = this.load.freeSlots > 0 && this.freeCards(type) > 0;
    const slots = Math.min(1, this.slots);
    return cardShare({
      limit: 1,
      mine,
      leased,
      claimed: 0,
      slots,
      ready,
      readyOthers: this.readyOthers(type),
    });
  }

  private readyOthers(type: string): number {
    return this.leases?.readyOthers(type) ?? 0;
  }

  private changed(type: string): void {
    void this.open().then(
      () => this.settle(type),
      (error: unknown) => this.context.log.error('limits cannot be followed', { error }),
    );
    this.load.onRoom();
  }

  /** Opens the leases when there is a first limit. */
  private open(): Promise<void> {
    if (this.limited().size === 0 && !this.opening) return Promise.resolve();
    const { bus, config, instance, log } = this.context;
    this.opening ??= Leases.open(bus, {
      instance,
      replicas: config.TPS_NATS_REPLICAS,
      leaseMs: config.TPS_LEASE_MS,
      onError: (error) => void log.warn('leases', { error }),
      onChange: (key) => this.leaseChanged(key),
    }).then((leases) => void (this.leases = leases));
    this.opening.catch(() => (this.opening = undefined));
    return this.opening;
  }

  private leaseChanged(key: string): void {
    const type = key.slice(key.indexOf('.') + 1);
    if (!this.types.has(type)) return;
    void this.settle(type);
    this.load.onRoom();
  }

  private async settle(type: string): Promise<void> {
    await Promise.all([
      this.leases?.settle(cardsLease(type), (counts) => ({ held: this.cardsToHold(type, counts) })),
      this.leases?.settle(rateLease(type), (counts) => this.leadRate(type, counts)),
    ]);
  }

  private leadRate(type: string, counts: LeaseCounts): { held: number; nextMs?: number } {
    const held = this.leadsToHold(type, counts);
    const limiter = this.limiters.get(type);
    if (!limiter || held === counts.mine) return { held };
    const now = Date.now();
    if (held === 0) return { held, nextMs: limiter.nextMs };
    // If the leader before was lost, its last start may have been a moment ago.
    limiter.resume(counts.lost ? Infinity : counts.nextMs, now);
    this.wakeAt(type, limiter.nextMs);
    return { held, nextMs: limiter.nextMs };
  }

  private wakeAt(type: string, atMs: number): void {
    clearTimeout(this.timers.get(type));
    const wake = (): void => {
      // Timers may fire a millisecond early, when there is no room yet, and nothing else would look again.
      if (Date.now() < atMs) this.wakeAt(type, atMs);
      else this.load.onRoom();
    };
    const timer = setTimeout(wake, Math.max(0, atMs - Date.now()));
    this.timers.set(type, timer);
  }
}
