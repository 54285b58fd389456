import type { Msg } from '@nats-io/transport-node';
import { type Bus, type DeliveryInfo, pauseMs } from '@tps/bus';
import { LEASE_MS } from '@tps/contracts';

/** kanban's answer about the queue. `nobody`: no kanban runs. `silence`: kanban runs and did not answer in time. */
export type QueueFacts = { created?: string; lease_ms?: number } | 'nobody' | 'silence';

/** A delivered message that can be answered. */
export interface Answerable {
  readonly msg: Msg;
  readonly info: DeliveryInfo;
  /** `QueueLife.no` when it was delivered. */
  readonly lifeNo: number;
  readonly life: QueueLife;
}

const BACKOFF = { firstMs: 250, capMs: 2_000 };

/**
 * Tells the present queue from an earlier one. When the broker has lost its store, kanban creates another queue with the
 * same lanes, which counts sequences from 1 again. An acknowledgement for the lost queue would then remove a new signal
 * that has not run.
 *
 * So when the queue may have been replaced, earlier deliveries are answered only after kanban has confirmed that it is
 * still the same queue. If no kanban runs, no other queue was created. Later deliveries are answered at once.
 */
export class QueueLife {
  /** Incremented whenever the queue may have been replaced. */
  no = 0;
  /** The lease of a lane: kanban's, or the one that this process is configured with. */
  leaseMs: number = LEASE_MS.default;
  private created: string | undefined;
  /** Deliveries before this number came from a lost queue. */
  private lostBefore = 0;
  private asking = false;
  private undecided = false;
  private waiting: { delivery: Answerable; answer: Uint8Array | string }[] = [];
  private closed = false;
  private readonly offReconnect: () => void;
  private readonly listeners = new Set<(lost: boolean) => void>();

  constructor(
    private readonly bus: Bus,
    private readonly ask: () => Promise<QueueFacts>,
  ) {
    this.offReconnect = bus.onReconnect(() => this.doubt());
  }

  /** Calls the listener when kanban has answered, so that missing lanes are there; `lost`: in another queue. */
  onKnown(listener: (lost: boolean) => void): void {
    this.listeners.add(listener);
  }

  /** Asks which queue it is, before anything is delivered. */
  async begin(): Promise<void> {
    const facts = await this.ask();
    if (typeof facts === 'object') this.learn(facts);
  }

  /** Acknowledges or naks a message. */
  answer(delivery: Answerable, answer: Uint8Array | string): void {
    if (delivery.lifeNo === this.no) return void delivery.msg.respond(answer);
    if (this.undecided) this.waiting.push({ delivery, answer });
    else if (delivery.lifeNo >= this.lostBefore) delivery.msg.respond(answer);
  }

  /** Renews a lease. At worst, that renews the lease of a message in another queue. */
  renew({ msg, lifeNo }: Answerable, renewal: Uint8Array): void {
    if (lifeNo >= this.lostBefore) msg.respond(renewal);
  }

  /** The queue or a lane may have been replaced. */
  doubt(): void {
    this.no += 1;
    this.undecided = true;
    if (this.asking) return;
    this.asking = true;
    void this.settle();
  }

  close(): void {
    this.closed = true;
    this.offReconnect();
  }

  private async settle(): Promise<void> {
    let lost = false;
    for (let tries = 1; !this.closed; tries += 1) {
      const { no } = this;
      const facts = await this.ask();
      if (no !== this.no) continue;
      if (typeof facts === 'object') {
        lost = this.isAnother(facts);
        if (lost) this.lostBefore = no;
        this.learn(facts);
        this.decide();
        break;
      }
      if (facts === 'nobody') this.decide();
      await this.bus.sleepUntilReconnect(pauseMs(BACKOFF, tries));
    }
    this.asking = false;
    if (!this.closed) for (const listener of this.listeners) listener(lost);
  }

  /** kanban's version before tells neither which queue it is nor the lease. */
  private learn({ created, lease_ms }: { created?: string; lease_ms?: number }): void {
    this.created = created ?? this.created;
    this.leaseMs = lease_ms ?? this.leaseMs;
  }

  /** kanban's version before does not tell which queue it is. */
  private isAnother({ created }: { created?: string }): boolean {
    return this.created !== undefined && created !== undefined && created !== this.created;
  }

  private decide(): void {
    this.undecided = false;
    const waiting = this.waiting;
    this.waiting = [];
    for (const { delivery, answer } of waiting) this.answer(delivery, answer);
  }
}
