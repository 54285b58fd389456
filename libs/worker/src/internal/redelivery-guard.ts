import type { DeliveryInfo } from '@tps/bus';

/** The broker's clock may be ahead by this much. */
const SKEW_MS = 1_000;
/** A worker reads the deliveries of a standstill within this time after it. */
const READ_MS = 2_000;

/**
 * Tells which deliveries may have run before although they look new. The worker looks them up before it runs them. There
 * are two causes: a broker that was killed forgets deliveries, and a worker whose event loop stands still (a stopped
 * process, a handler that blocks) reads deliveries after their leases have ended and other workers have them.
 */
export class RedeliveryGuard {
  private beforeMs = 0;
  private renewedAt = performance.now();
  private turnedAt = -Infinity;

  constructor(private readonly leaseMs: () => number) {}

  /** From now on, every signal that is stored already may have run. */
  suspectAllStored(): void {
    this.beforeMs = Date.now() + SKEW_MS;
  }

  /** To be called at each renewal of the leases. */
  renewed(): void {
    this.noticeStandstill();
    this.renewedAt = performance.now();
  }

  isSuspect({ storedAtMs }: DeliveryInfo): boolean {
    this.noticeStandstill();
    return storedAtMs < this.beforeMs;
  }

  /** A delivery that is read now may have come during a standstill, so another worker may have it. Valid after `isSuspect`. */
  get readsLate(): boolean {
    return this.turnedAt !== -Infinity && performance.now() - this.turnedAt < READ_MS;
  }

  /** Deliveries that this worker did not read in time may be going to other workers. */
  get leftUnread(): boolean {
    this.noticeStandstill();
    return performance.now() - this.turnedAt < 2 * this.leaseMs();
  }

  private noticeStandstill(): void {
    const now = performance.now();
    if (now - this.renewedAt <= this.leaseMs()) return;
    this.suspectAllStored();
    this.turnedAt = now;
  }
}
