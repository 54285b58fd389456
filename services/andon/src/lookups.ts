import { LOOKUP_MAX_WAIT_MS, type ReplyOf, type RequestOf } from '@tps/contracts';
import type { LoggedOutcome, OutcomesLog } from '@tps/fleet';
import { RecordIndex } from './record-index';
import type { RecordReader } from './record-reader';
import { WaitingRoom } from './waiting-room';

const CATCH_UP_MS = 1_000;

/** The log is not read up to now: "no record" would be a guess, and a signal might run twice for it. */
export class RecordsBehindError extends Error {
  override readonly name = 'RecordsBehindError';
  constructor() {
    super('the records are not up to date yet');
  }
}

/** Answers what the log holds of signals. */
export class Lookups {
  private index = new RecordIndex();
  private readonly room = new WaitingRoom();

  constructor(private readonly reader: RecordReader) {}

  /** The log is another one. A caller that waits for an outcome goes on waiting. */
  restart(): void {
    this.index = new RecordIndex();
  }

  take({ outcome, seq, index }: LoggedOutcome): void {
    this.index.add(outcome.signal_id, { seq, index, final: outcome.final });
    if (outcome.final) this.room.settle(outcome.signal_id);
  }

  async answer({ ids, wait_ms = 0 }: RequestOf<'lookup'>, log: OutcomesLog): Promise<ReplyOf<'lookup'>> {
    const waitMs = Math.min(wait_ms, LOOKUP_MAX_WAIT_MS);
    const deadline = Date.now() + waitMs;
    // A signal that is final here may have a later run that was not read yet.
    if (!(await log.caughtUp(CATCH_UP_MS))) throw new RecordsBehindError();
    const open = this.open(ids);
    if (open.length > 0 && waitMs > 0) await this.room.wait(open, deadline);
    return this.reader.read(new Map(ids.map((id) => [id, this.index.positionsOf(id)])));
  }

  close(): void {
    this.room.close();
  }

  private open(ids: readonly string[]): string[] {
    return ids.filter((id) => !this.index.isFinal(id));
  }
}
