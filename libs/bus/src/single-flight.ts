/**
 * Coalesces concurrent calls. A caller that arrives during a request shares the *next* one, so no result is older than
 * the call.
 */
export class SingleFlight<T> {
  private current: Promise<T> | null = null;
  private next: Promise<T> | null = null;

  constructor(private readonly ask: () => Promise<T>) {}

  /** Starts a request if none is running; otherwise joins the request that starts after the running one. */
  get(): Promise<T> {
    if (!this.current) return this.begin();
    this.next ??= this.current
      .catch(() => undefined)
      .then(() => {
        this.next = null;
        return this.begin();
      });
    return this.next;
  }

  private begin(): Promise<T> {
    const asked = this.ask().finally(() => {
      if (this.current === asked) this.current = null;
    });
    this.current = asked;
    return asked;
  }
}
