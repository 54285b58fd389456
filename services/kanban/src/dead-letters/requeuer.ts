import { managerOf, RecordsClient } from '@tps/bus';
import type { EnqueueRefusal, Signal } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { TraceHeaders } from '@tps/telemetry';
import type { QueueWriter } from '../queue/queue-writer';
import type { DeadLetterEntry, DeadLetterStore } from './dead-letter-store';
import { signalIn } from '../queue/unreadable-messages';

/** What came of trying to run a dead letter's signal again. */
export type RequeueResult =
  /** `duplicate`: somebody else queued this run a moment ago. */
  | { kind: 'queued'; signal: Signal; duplicate: boolean }
  | { kind: 'refused'; verdict: EnqueueRefusal }
  /** The letter is no longer there. */
  | { kind: 'gone' }
  /** The run of the letter is not over yet: its worker died behind the letter, or is about to record it. */
  | { kind: 'unfinished' }
  /** A later run exists, or this one ended well after all: the letter was left over and is removed. */
  | { kind: 'overtaken' }
  /** It was no signal. */
  | { kind: 'invalid' };

/**
 * Queues the next run of a dead letter's signal, and only then removes the letter. Who does so twice queues once: the
 * run has one message id, and what the stream no longer remembers is in the records. A crash in between leaves a letter
 * that is found to be overtaken the next time.
 */
export class Requeuer {
  readonly records: RecordsClient;

  constructor(
    private readonly context: ServiceContext,
    private readonly deadLetters: DeadLetterStore,
    private readonly writer: QueueWriter,
  ) {
    this.records = new RecordsClient(context.bus);
  }

  /**
   * @param replyTo where the outcome of the new run is sent
   * @param parent trace that the run continues; by default it has one of its own
   * @throws RecordsUnavailableError
   */
  async requeue({ seq }: DeadLetterEntry, replyTo?: string, parent?: TraceHeaders): Promise<RequeueResult> {
    const letter = await this.deadLetters.read(seq);
    if (!letter) return { kind: 'gone' };
    if ('invalid' in letter.body) return { kind: 'invalid' };
    const { reply_to: _gone, ...before } = letter.body.signal;
    const runState = await this.standing(before);
    if (runState === 'unfinished') return { kind: 'unfinished' };
    if (runState === 'overtaken') {
      await this.deadLetters.remove(seq);
      return { kind: 'overtaken' };
    }
    const signal: Signal = { ...before, run: before.run + 1, created_at: new Date().toISOString() };
    if (replyTo) signal.reply_to = replyTo;
    const verdict = await this.writer.requeue(signal, letter.traceparent, parent);
    if (!verdict.ok) return { kind: 'refused', verdict };
    // The run is safe. A letter that stays behind is found to be overtaken.
    await this.deadLetters
      .remove(seq)
      .catch((error: unknown) =>
        this.context.log.warn('letter not removed yet', { signal_id: signal.id, error }),
      );
    return { kind: 'queued', signal, duplicate: verdict.duplicate ?? false };
  }

  private async standing({ id, run }: Signal): Promise<'dead' | 'unfinished' | 'overtaken'> {
    const { streams, subjects } = this.context.bus.names;
    const jsm = await managerOf(this.context.bus);
    const last_by_subj = subjects.work('*', '*', id);
    const waiting = await jsm.streams.getMessage(streams.kanban, { last_by_subj });
    // What is no signal is on its way to the dead letters.
    if (waiting) return (signalIn(waiting)?.run ?? 0) > run ? 'overtaken' : 'unfinished';
    const outcomes = await this.records.outcomesOf(id);
    if (outcomes.some((outcome) => outcome.run > run)) return 'overtaken';
    const final = outcomes.find((outcome) => outcome.final && outcome.run === run);
    return !final || final.status === 'failed' || final.status === 'expired' ? 'dead' : 'overtaken';
  }
}
