import { ask } from '@tps/bus';
import type { RequestOf } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { PullOptions } from '../definition';

const LIMIT_MS = 5_000;
/** A line has one open call at a time, so pulling more often adds nothing. */
const PULL_EVERY_MS = 10_000;
/** Delay after a failed pull. */
const RETRY_MS = 1_000;
const MAX_REASON = 500;
const MAX_BY = 100;

/** The attempt that pulls the cord. */
export interface Puller {
  type: string;
  signalId: string;
  traceId: string;
}

/**
 * The cord of the lines that a worker process serves, for its handlers. Each type pulls at most once in 10 s, so that a
 * handler that fails for every signal does not flood andon.
 */
export class Cord {
  private static readonly cords = new WeakMap<ServiceContext, Cord>();
  /** By type, when it may pull again. */
  private readonly dueMs = new Map<string, number>();

  private constructor(private readonly context: ServiceContext) {}

  /** The one cord of a process. */
  static of(context: ServiceContext): Cord {
    const cord = Cord.cords.get(context) ?? new Cord(context);
    Cord.cords.set(context, cord);
    return cord;
  }

  /**
   * Pulls the cord. Never rejects: a call for help must not change the outcome of the signal.
   *
   * @returns the id of the call; null when none was made, and the log says why
   */
  async pull(reason: string, { mode = 'call' }: PullOptions, puller: Puller): Promise<string | null> {
    const { bus, log, instance } = this.context;
    const about = { signal_type: puller.type, signal_id: puller.signalId, trace_id: puller.traceId, reason };
    if (!this.isDue(puller.type)) {
      log.warn('cord not pulled, because a handler of this type pulled it a moment ago', about);
      return null;
    }
    try {
      const request: RequestOf<'pull'> = {
        signal_type: puller.type,
        mode,
        reason: String(reason).trim().slice(0, MAX_REASON) || 'the handler gave no reason',
        by: `handler of ${puller.type} (${instance})`.slice(0, MAX_BY),
        trace_id: puller.traceId,
      };
      const reply = await ask(bus, 'pull', request, { timeoutMs: LIMIT_MS });
      if ('call' in reply) return reply.call.id;
      log.warn('cord not pulled', { ...about, refused: reply.reason });
    } catch (error) {
      this.dueMs.set(puller.type, Date.now() + RETRY_MS);
      log.warn('cord not pulled', { ...about, error });
    }
    return null;
  }

  private isDue(type: string): boolean {
    const nowMs = Date.now();
    if (nowMs < (this.dueMs.get(type) ?? 0)) return false;
    this.dueMs.set(type, nowMs + PULL_EVERY_MS);
    return true;
  }
}
