/**
 * Asks the same question for many, never twice at once. Who comes while one is under way shares the next one: an answer
 * is never to a question that was asked before one wanted to know.
 */
export class OneAtATime<T> {
  private current: Promise<T> | null = null;
  private next: Promise<T> | null = null;

  constructor(private readonly ask: () => Promise<T>) {}

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
