/** Without another append, a refusal says less and less: after so long the next signal may try again. */
const STALE_MS = 10_000;

/**
 * Whether the queue takes signals: by what became of the last append, and by the last look at the stream. It feeds the
 * readiness and the heartbeat of kanban, so that health, board and acceptance cannot tell different things.
 */
export class Acceptance {
  private refusal: string | null = null;
  private refusedMs = 0;
  private absence: string | null = null;

  constructor(private readonly now: () => number = Date.now) {}

  /** The stream took a signal, or said that it is full: that is an answer, too. */
  onAppended(): void {
    this.refusal = null;
    this.absence = null;
  }

  /** An append failed. */
  onAppendFailed(reason: string): void {
    this.refusal = reason;
    this.refusedMs = this.now();
  }

  /** The stream answered a look. */
  onStreamRead(): void {
    this.absence = null;
  }

  /** The stream is another one, which has refused nothing yet. */
  onStreamReplaced(): void {
    this.onAppended();
  }

  /** The stream is missing, or does not answer. */
  onStreamUnavailable(reason: string): void {
    this.absence = reason;
  }

  /** Why the queue takes no signals now; null when it does, as far as known. */
  get problem(): string | null {
    const isStale = this.now() - this.refusedMs > STALE_MS;
    return this.absence ?? (isStale ? null : this.refusal);
  }
}
