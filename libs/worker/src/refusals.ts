const KEPT_MS = 60_000;

/** Ids that were cancelled: should such a message still be on its way to this worker, it must not run. */
export class Refusals {
  private readonly until = new Map<string, number>();

  add(id: string): void {
    this.until.set(id, Date.now() + KEPT_MS);
  }

  delete(id: string): void {
    this.until.delete(id);
  }

  has(id: string): boolean {
    return this.until.has(id);
  }

  /** Forgets those that are long gone; called now and then. */
  sweep(): void {
    const now = Date.now();
    for (const [id, until] of this.until) if (until < now) this.until.delete(id);
  }
}
