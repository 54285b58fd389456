import type { LineView, ServiceContext } from '@tps/service';
import { HandBackError } from './attempt';
import { CapacityError } from './failure';
import { acknowledge, deadlineOf, giveBack, type Held, laterMs } from './held';
import { attemptsOf, RecordsUnavailableError } from './history';
import type { Delivered } from './lanes';
import { returned } from './outcome';
import type { Recorder } from './recorder';

export const NO_TRACE = { traceparent: '' };

interface Desk {
  context: ServiceContext;
  recorder: Recorder;
}

/** Threads and connections are taken for moments, mostly. */
const ROOM_MS = 250;

interface Shift {
  context: ServiceContext;
  lines: LineView;
  onAttempt: (type: string, status: string) => void;
}

/** The delay, in milliseconds, after which a signal may come back when its processing ended without an outcome. */
export function delayAfter({ context, lines, onAttempt }: Shift, held: Held, error: unknown): number {
  if (error instanceof HandBackError) return 0;
  if (error instanceof CapacityError) {
    held.noRoom = error.message;
    onAttempt(held.signal.signal_type, 'returned');
    // No later than its deadline, so that it expires in time.
    return Math.min(laterMs(held, ROOM_MS), Math.max(1, deadlineOf(held, lines) - Date.now()));
  }
  context.log.warn('handed back', { signal_id: held.signal.id, error });
  return error instanceof RecordsUnavailableError ? laterMs(held) : 0;
}

/** Back to the lane, with a record that says this delivery was no attempt. */
export async function handBack({ context, recorder }: Desk, held: Held, delayMs: number): Promise<void> {
  const attempts = await attemptsOf(context.bus, held).catch(() => null);
  // Unknown: without a record this delivery counts as an attempt, which errs on the safe side.
  if (!attempts) return giveBack(held.msg, delayMs || laterMs(held));
  const outcome = returned(held, context.instance, attempts.used, attempts.last);
  await recorder.attempt({ outcome, trace: held.trace ?? NO_TRACE });
  giveBack(held.msg, delayMs);
}

/** What no worker can read would come back for ever: it is kept as a dead letter and taken out. */
export function discard({ context, recorder }: Desk, delivered: Delivered): void {
  const { msg, lane } = delivered;
  context.log.error('unreadable signal', { lane, subject: msg.subject });
  const kept = recorder.invalid(delivered);
  void kept.then(() => acknowledge(msg)).catch((error: unknown) => context.log.warn('not kept', { error }));
}
