import { AsyncLocalStorage } from 'node:async_hooks';
import { dirname, sep } from 'node:path';
import { describeThrown, lineage, type Logger } from '@tps/telemetry';
import { DeadlineError, ReleasedError } from './attempt';
import { AttemptTimeoutError } from '../failure';

/** Stands for an unknown type. */
export const SOME_TYPE = '?';
/** At most one line per type in this time, because a handler may leave thousands of errors a second behind. */
const QUIET_MS = 10_000;
/** The folder of all packages of the fleet: `libs`, or `node_modules/@tps` where they are installed. */
const HOME = dirname(dirname(dirname(__dirname))) + sep;
/** Errors of the worker that handlers get, so that promises they leave behind reject with them. */
const ABORT_REASONS = [AttemptTimeoutError, DeadlineError, ReleasedError];

/**
 * Deals with the errors that handlers leave behind: a rejection that nobody awaits, or an exception thrown by a timer
 * or an event. The signals in this process go on, because none of them has failed. The log names the type, and a metric
 * counts it.
 *
 * AsyncLocalStorage tells which handler an error comes from. It costs CPU for every promise on Node 20 and 22, so it is
 * turned on by the first stray of a process.
 */
export class Strays {
  private storage: AsyncLocalStorage<string> | undefined;
  private readonly logged = new Map<string, { atMs: number; since: number }>();

  constructor(
    private readonly log: Logger,
    private readonly onStray: (type: string) => void,
  ) {}

  get isTracking(): boolean {
    return this.storage !== undefined;
  }

  /** Runs a handler so that errors that it leaves behind carry its type. */
  track<T>(type: string, run: () => T): T {
    return this.storage ? this.storage.run(type, run) : run();
  }

  /**
   * @param ran types whose handlers have run in this process
   * @returns false when the error is the fleet's own
   */
  absorb(error: unknown, ran: readonly string[], nowMs = performance.now()): boolean {
    if (originOf(error) === 'fleet') return false;
    const type = this.storage?.getStore() ?? (ran.length === 1 ? ran[0] : undefined) ?? SOME_TYPE;
    this.storage ??= new AsyncLocalStorage();
    this.onStray(type);
    const last = this.logged.get(type);
    if (last && nowMs - last.atMs < QUIET_MS) {
      last.since += 1;
      return true;
    }
    this.logged.set(type, { atMs: nowMs, since: 0 });
    this.log.error('a handler left an error behind that nothing waits for', {
      ...(type === SOME_TYPE ? { one_of: ran } : { signal_type: type }),
      ...(last?.since ? { unsaid: last.since } : {}),
      error,
    });
    return true;
  }
}

/**
 * Tells from the stack whose code an error comes from. It is a handler's if any frame is neither the fleet's, a
 * dependency's nor Node's. It is the fleet's if it has frames of the fleet and none of a handler. An error without frames
 * is a handler's, because the fleet's own code awaits every promise and throws only Errors.
 */
function originOf(error: unknown): 'fleet' | 'handler' {
  const ancestors = lineage(error);
  if (ABORT_REASONS.some(({ prototype }) => ancestors.includes(prototype))) return 'handler';
  const frames = (describeThrown(error).stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at .*:\d+:\d+\)?$/.test(line));
  const owners = new Set(frames.map(ownerOf));
  return owners.has('fleet') && !owners.has('handler') ? 'fleet' : 'handler';
}

function ownerOf(frame: string): 'fleet' | 'handler' | undefined {
  const dependency = /.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(frame)?.[1];
  if (frame.includes(HOME) || dependency?.startsWith('@nats-io')) return 'fleet';
  return dependency !== undefined || /\bnode:/.test(frame) ? undefined : 'handler';
}
