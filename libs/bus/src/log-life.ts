/** The facts of a stream that tell whether it is still the same log. */
export interface LogFacts {
  created: string;
  lastSeq: number;
}

/** A newly elected leader may not have applied its last messages yet, so one short reading proves nothing. */
const SURE_AFTER_LOOKS = 3;

/** The stream may have been replaced. The next readings decide. */
export class LogUnsureError extends Error {
  override readonly name = 'LogUnsureError';
}

/**
 * Tells whether a stream is still the log that a reader follows. The broker may come back with an empty store, somebody
 * may delete and recreate the stream, or an older copy of the store may replace it.
 */
export class LogLife {
  /** Creation time of the followed stream; undefined before the first one. */
  created: string | undefined;
  private shorter = 0;

  /**
   * @param position the last sequence that was read
   * @returns whether the log is not the followed one
   * @throws LogUnsureError if that is undecided; the caller reads the facts again a little later
   */
  isReplaced({ created, lastSeq }: LogFacts, position: number): boolean {
    if (this.created === undefined) return false;
    if (created !== this.created) return true;
    this.shorter = lastSeq < position ? this.shorter + 1 : 0;
    if (this.shorter === 0) return false;
    if (this.shorter >= SURE_AFTER_LOOKS) return true;
    throw new LogUnsureError(`the stream ends at ${lastSeq}, and was read up to ${position}`);
  }

  /** Follows this log from here on. @returns its name in a report that it replaced another one */
  begin({ created, lastSeq }: LogFacts): string {
    const name = created === this.created ? `${created} set back to ${lastSeq}` : created;
    this.created = created;
    this.shorter = 0;
    return name;
  }
}
