/** A stream as the broker describes it. */
export interface LogFacts {
  created: string;
  lastSeq: number;
}

/** A leader that was elected just now may not have applied its last messages yet. */
const SURE_AFTER_LOOKS = 3;

/** The stream seems to be another one than was followed so far: the next look decides. */
export class LogUnsureError extends Error {
  override readonly name = 'LogUnsureError';
}

/**
 * Tells whether a stream is still the log that a reader follows. The broker may come back with an empty store, somebody
 * may delete the stream and create it again, or an older copy of the store may be put in its place.
 */
export class LogLife {
  /** Creation time of the stream that is followed; undefined before the first. */
  created: string | undefined;
  private shorter = 0;

  /**
   * @param position the last sequence that was read
   * @returns whether the log is another one than is followed
   * @throws LogUnsureError when it may be: the caller looks again a little later
   */
  isReplaced({ created, lastSeq }: LogFacts, position: number): boolean {
    if (this.created === undefined) return false;
    if (created !== this.created) return true;
    this.shorter = lastSeq < position ? this.shorter + 1 : 0;
    if (this.shorter === 0) return false;
    if (this.shorter >= SURE_AFTER_LOOKS) return true;
    throw new LogUnsureError(`the stream ends at ${lastSeq}, and was read up to ${position}`);
  }

  /** From here on this log is followed. @returns its name in a report that it replaced another one */
  begin({ created, lastSeq }: LogFacts): string {
    const name = created === this.created ? `${created} set back to ${lastSeq}` : created;
    this.created = created;
    this.shorter = 0;
    return name;
  }
}
