import type { ServiceContext } from '@tps/service';
import { acknowledge, giveBack, type Held, laterMs } from './held';
import { attemptsOf } from './history';
import type { Delivered } from './lanes';
import { returned } from './outcome';
import type { Recorder } from './recorder';

export const NO_TRACE = { traceparent: '' };

interface Desk {
  context: ServiceContext;
  recorder: Recorder;
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
