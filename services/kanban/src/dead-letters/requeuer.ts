import { managerOf, type RecordsClient } from '@tps/bus';
import { decodeSignal, type EnqueueRefusal, type Signal } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { TraceHeaders } from '@tps/telemetry';
import type { QueueWriter } from '../queue/queue-writer';
import type { DeadLetterEntry, DeadLetterStore } from './dead-letter-store';

/** The result of requeueing a dead letter. */
export type RequeueResult =
  /** `duplicate`: somebody else queued this run a moment ago. */
  | { kind: 'queued'; signal: Signal; duplicate: boolean }
  | { kind: 'refused'; verdict: EnqueueRefusal }
  /** The dead letter no longer exists. */
  | { kind: 'gone' }
  /** The run has not ended: its worker died after it wrote the dead letter, or is about to record the outcome. */
  | { kind: 'unfinished' }
  /** A later run exists, or this run succeeded after all. The dead letter was left over and is removed. */
  | { kind: 'overtaken' }
  /** The dead letter is an unreadable message. */
  | { kind: 'invalid' };

export interface RequeuerDeps {
  deadLetters: DeadLetterStore;
  writer: QueueWriter;
  records: RecordsClient;
}

/**
 * Queues the next run of a dead letter's signal, and only then removes the dead letter. Two requests queue one run,
 * because the run has one message id, and the records know the runs that the stream has forgotten. A crash in between
 * leaves a dead letter that is overtaken, as the next request finds.
 */
export class Requeuer {
  constructor(
    private readonly context: ServiceContext,
    private readonly deps: RequeuerDeps,
  ) {}

  /**
   * @param replyTo subject for the outcome of the new run
   * @param parent trace that the run continues. Default: a new one
   * @throws RecordsUnavailableError
   */
  async requeue({ seq }: DeadLetterEntry, replyTo?: string, parent?: TraceHeaders): Promise<RequeueResult> {
    const { deadLetters, writer } = this.deps;
    const deadLetter = await deadLetters.read(seq);
    if (!deadLetter) return { kind: 'gone' };
    if ('invalid' in deadLetter.body) return { kind: 'invalid' };
    const { reply_to: _gone, ...before } = deadLetter.body.signal;
    const state = await this.runState(before);
    if (state === 'unfinished') return { kind: 'unfinished' };
    if (state === 'overtaken') {
      await deadLetters.remove(seq);
      return { kind: 'overtaken' };
    }
    const signal: Signal = { ...before, run: before.run + 1, created_at: new Date().toISOString() };
    if (replyTo) signal.reply_to = replyTo;
    const verdict = await writer.requeue(signal, deadLetter.traceparent, parent);
    if (!verdict.ok) return { kind: 'refused', verdict };
    // The run is safe now. A dead letter that stays is overtaken.
    await deadLetters
      .remove(seq)
      .catch((error: unknown) =>
        this.context.log.warn('dead letter not removed yet', { signal_id: signal.id, error }),
      );
    return { kind: 'queued', signal, duplicate: verdict.duplicate ?? false };
  }

  private async runState({ id, run }: Signal): Promise<'dead' | 'unfinished' | 'overtaken'> {
    const { streams, subjects } = this.context.bus.names;
    const jsm = await managerOf(this.context.bus);
    const last_by_subj = subjects.work('*', '*', id);
    const queued = await jsm.streams.getMessage(streams.kanban, { last_by_subj });
    // An unreadable message becomes a dead letter soon.
    if (queued) return (decodeSignal(queued)?.run ?? 0) > run ? 'overtaken' : 'unfinished';
    const outcomes = await this.deps.records.outcomesOf(id);
    if (outcomes.some((outcome) => outcome.run > run)) return 'overtaken';
    const final = outcomes.find((outcome) => outcome.final && outcome.run === run);
    return !final || final.status === 'failed' || final.status === 'expired' ? 'dead' : 'overtaken';
  }
}
