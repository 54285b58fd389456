import { LOOKUP_MAX_IDS, LOOKUP_MAX_WAIT_MS, type LookupReply, type LookupRequest } from '@tps/contracts';
import type { LoggedOutcome, OutcomesLog } from '@tps/service';
import { RecordIndex } from './record-index';
import type { RecordReader } from './record-reader';
import { WaitingRoom } from './waiting-room';

const CATCH_UP_MS = 1_000;

/** The request for records is not one that andon understands. */
class LookupRequestError extends Error {
  override readonly name = 'LookupRequestError';
}

/** The log is not read up to now: "no record" would be a guess, and a signal might run twice for it. */
export class RecordsBehindError extends Error {
  override readonly name = 'RecordsBehindError';
  constructor() {
    super('the records are not up to date yet');
  }
}

/** Answers what the log holds of signals. */
export class Lookups {
  private readonly index = new RecordIndex();
  private readonly room = new WaitingRoom();

  constructor(private readonly reader: RecordReader) {}

  take({ outcome, seq, index }: LoggedOutcome): void {
    this.index.add(outcome.signal_id, { seq, index, final: outcome.final });
    if (outcome.final) this.room.settle(outcome.signal_id);
  }

  async answer(request: LookupRequest | undefined, log: OutcomesLog): Promise<LookupReply> {
    const { ids, waitMs } = checked(request);
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

function checked(request: LookupRequest | undefined): { ids: string[]; waitMs: number } {
  const ids = request?.ids;
  if (!Array.isArray(ids) || ids.length > LOOKUP_MAX_IDS || ids.some((id) => typeof id !== 'string')) {
    throw new LookupRequestError(`ids must be a list of at most ${LOOKUP_MAX_IDS} signal ids`);
  }
  const waitMs = request?.wait_ms ?? 0;
  if (!(waitMs >= 0)) throw new LookupRequestError('wait_ms must be a number of milliseconds');
  return { ids, waitMs: Math.min(waitMs, LOOKUP_MAX_WAIT_MS) };
}
