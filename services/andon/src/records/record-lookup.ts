import { LOOKUP_MAX_WAIT_MS, type ReplyOf, type RequestOf } from '@tps/contracts';
import type { LoggedOutcome, OutcomesLog } from '@tps/fleet';
import type { RecordReader } from './record-reader';
import type { RecordStore } from './record-store';
import { FinalityWaiters } from './finality-waiters';

const CATCH_UP_MS = 1_000;

/** The log is not read up to now: "no record" would be a guess, and a signal might run twice for it. */
export class RecordsBehindError extends Error {
  override readonly name = 'RecordsBehindError';
  constructor() {
    super('the records are not up to date yet');
  }
}

/** Answers which outcomes the log has of signals. */
export class RecordLookup {
  private readonly waiters = new FinalityWaiters();

  constructor(
    private readonly store: RecordStore,
    private readonly reader: RecordReader,
  ) {}

  /** Wakes callers who wait for this signal. */
  take({ outcome }: LoggedOutcome): void {
    if (outcome.final) this.waiters.settle(outcome.signal_id);
  }

  async answer({ ids, wait_ms = 0 }: RequestOf<'lookup'>, log: OutcomesLog): Promise<ReplyOf<'lookup'>> {
    const waitMs = Math.min(wait_ms, LOOKUP_MAX_WAIT_MS);
    const deadline = Date.now() + waitMs;
    // A signal that is final here may have a later run that was not read yet.
    if (!(await log.caughtUp(CATCH_UP_MS))) throw new RecordsBehindError();
    if (waitMs > 0) await this.wait(ids, deadline);
    return this.reader.read(ids, await this.store.positionsOf(ids));
  }

  close(): void {
    this.waiters.close();
  }

  /** Waits from before the look into the index, so that no outcome falls between the two. */
  private async wait(ids: readonly string[], deadline: number): Promise<void> {
    const waited = this.waiters.wait(ids, deadline);
    for (const [id, positions] of await this.store.positionsOf(ids)) {
      if (positions.some(({ final }) => final)) this.waiters.settle(id);
    }
    await waited;
  }
}
