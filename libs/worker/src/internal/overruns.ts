import { tally } from './load';

/** A handler that still runs although its attempt was ended from outside. */
export interface Overrun {
  type: string;
  signalId: string;
  timeoutMs: number;
  /** When its attempt was ended. */
  sinceMs: number;
}

/** A handler ignored its AbortSignal for so long that its slot and card count as lost. */
export class EndlessHandlerError extends Error {
  override readonly name = 'EndlessHandlerError';
  constructor(type: string) {
    super(`a handler of ${type} ignores its AbortSignal and does not end: only a new process frees its slot`);
  }
}

/** A handler that runs for this long after its attempt counts as deaf to its AbortSignal. */
const DEAF_MS = 1_000;
/** A handler may take its type's time-out once more to end, within these bounds. */
const MIN_LIMIT_MS = 10_000;
const MAX_LIMIT_MS = 60_000;

/**
 * Handlers that outlive their attempts. Each keeps its slot and its card until it really ends, so that a slot and a card
 * mean one running handler. Only the end of the process ends a handler, so a handler that exceeds its limit, too, is
 * reported as endless.
 */
export class Overruns {
  private readonly running = new Map<Overrun, { deaf: boolean }>();
  endless: Overrun | undefined;

  /** @param onEndless called once, for the first handler that does not end */
  constructor(
    private readonly log: { [level in 'info' | 'warn']: (message: string, fields: object) => void },
    private readonly onEndless: (overrun: Overrun) => void,
  ) {}

  get size(): number {
    return this.running.size;
  }

  count(type: string): number {
    let count = 0;
    for (const overrun of this.running.keys()) if (overrun.type === type) count += 1;
    return count;
  }

  /** The type of each of them. */
  types(): string[] {
    return [...this.running.keys()].map(({ type }) => type);
  }

  /** Handlers that are deaf, by type. */
  deaf(): Record<string, number> {
    return tally([...this.running].flatMap(([{ type }, { deaf }]) => (deaf ? type : [])));
  }

  /** @param onEnd called once, when the handler has ended */
  add(overrun: Overrun, handler: Promise<unknown>, onEnd: () => void): void {
    const state = { deaf: false };
    this.running.set(overrun, state);
    const end = (): void => {
      if (!this.running.delete(overrun)) return;
      if (state.deaf) this.tell('info', 'a handler that ignored its AbortSignal has ended', overrun);
      onEnd();
    };
    try {
      // The built-in `then`, because a handler may have replaced the promise's own.
      void Promise.prototype.then.call(handler, end, end);
    } catch {
      end();
    }
  }

  /** Checks how long each has been running, and logs those that have just become deaf; called regularly. */
  sweep(nowMs: number): void {
    const known = this.endless;
    for (const [overrun, state] of this.running) {
      const lateMs = nowMs - overrun.sinceMs;
      if (lateMs > limitOf(overrun)) this.endless ??= overrun;
      if (state.deaf || lateMs < DEAF_MS) continue;
      state.deaf = true;
      const message = 'a handler ignores its AbortSignal: it keeps its slot and its card until it ends';
      this.tell('warn', message, overrun);
    }
    if (this.endless && !known) this.onEndless(this.endless);
  }

  private tell(level: 'info' | 'warn', message: string, { type, signalId, sinceMs }: Overrun): void {
    const late_ms = Math.round(performance.now() - sinceMs);
    this.log[level](message, { signal_type: type, signal_id: signalId, late_ms });
  }
}

function limitOf({ timeoutMs }: Overrun): number {
  return Math.min(MAX_LIMIT_MS, Math.max(MIN_LIMIT_MS, timeoutMs));
}
