import { type DeliveryInfo, LEASE_MS } from '@tps/bus';

/** The broker's clock may be ahead by so much. */
const SKEW_MS = 1_000;

/**
 * Knows when what is taken up may have run before although it looks new: then it is looked up before it runs. A broker
 * that was killed forgets deliveries; and while a process hangs, or a handler waits for nothing, no lease is renewed,
 * and others take what waits here.
 */
export class RedeliveryGuard {
  private beforeMs = 0;
  private renewedAt = performance.now();

  /** Of all that is stored by now. */
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

  private noticeStandstill(): void {
    if (performance.now() - this.renewedAt > LEASE_MS) this.suspectAllStored();
  }
}
