import type { DeliveryInfo } from '@tps/bus';

/** The broker's clock may be ahead by so much. */
const SKEW_MS = 1_000;
/** A worker has read what came during a standstill after this time. */
const READ_MS = 2_000;

/**
 * Tells which deliveries may have run before although they look new. Those are looked up before they run. There are two
 * causes: a broker that was killed forgets deliveries, and a worker whose event loop stands still (a stopped process, a
 * handler that blocks) reads deliveries when their leases have ended and other workers have them.
 */
export class RedeliveryGuard {
  private beforeMs = 0;
  private renewedAt = performance.now();
  private turnedAt = -Infinity;

  constructor(private readonly leaseMs: () => number) {}

  /** Everything that is stored by now may have run. */
  suspectAllStored(): void {
    this.beforeMs = Date.now() + SKEW_MS;
  }

  /** Leases are renewed now. */
  renewed(): void {
    this.noticeStandstill();
    this.renewedAt = performance.now();
  }

  isSuspect({ storedAtMs }: DeliveryInfo): boolean {
    this.noticeStandstill();
    return storedAtMs < this.beforeMs;
  }

  /** What is read now may have come during a standstill, so that another worker has it by now. For after `isSuspect`. */
  get readsLate(): boolean {
    return this.turnedAt !== -Infinity && performance.now() - this.turnedAt < READ_MS;
  }

  /** Other workers get deliveries that this worker did not read in time. */
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
