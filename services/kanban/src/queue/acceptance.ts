/** A failed append loses its meaning with time. After this long the next signal may try again. */
const STALE_MS = 10_000;

/**
 * Decides whether the queue takes signals, by the result of the last append and the last reading of the stream. Both the
 * readiness and the heartbeat of kanban use it, so that health, board and acceptance agree.
 */
export class Acceptance {
  private refusal: string | null = null;
  private refusedMs = 0;
  private absence: string | null = null;

  constructor(private readonly now: () => number = Date.now) {}

  /** The stream took a signal, or answered that it is full. */
  onAppended(): void {
    this.refusal = null;
    this.absence = null;
  }

  /** An append failed. */
  onAppendFailed(reason: string): void {
    this.refusal = reason;
    this.refusedMs = this.now();
  }

  /** The stream was read. */
  onStreamRead(): void {
    this.absence = null;
  }

  /** The stream was replaced, and the new one has not failed yet. */
  onStreamReplaced(): void {
    this.onAppended();
  }

  /** The stream is missing or does not answer. */
  onStreamUnavailable(reason: string): void {
    this.absence = reason;
  }

  /** Why the queue takes no signals now; null if it does, as far as known. */
  get problem(): string | null {
    const isStale = this.now() - this.refusedMs > STALE_MS;
    return this.absence ?? (isStale ? null : this.refusal);
  }
}
