import { parseLane } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import { acknowledge, giveBack, type Held } from './held';
import { historyOf } from './history';
import type { Delivered } from './lanes';
import { returned } from './outcome';
import type { Recorder } from './recorder';

/** A signal that cannot run now comes back after this. */
export const LATER_MS = 1_000;
export const NO_TRACE = { traceparent: '' };

interface Desk {
  context: ServiceContext;
  recorder: Recorder;
}

/** Back to the lane, with a record that says this delivery was no attempt. */
export async function handBack({ context, recorder }: Desk, held: Held, delayMs: number): Promise<void> {
  let used = 0;
  if (held.info.deliveries > 1) {
    const history = await historyOf(context.bus, held).catch(() => null);
    // Unknown: without a record this delivery counts as an attempt, which errs on the safe side.
    if (history?.kind !== 'run') return giveBack(held.msg, delayMs || LATER_MS);
    used = history.attempt - 1;
  }
  const outcome = returned(held, context.instance, used);
  await recorder.attempt({ outcome, trace: held.trace ?? NO_TRACE });
  giveBack(held.msg, delayMs);
}

/** What no worker can read would come back for ever: it is kept as a dead letter and taken out. */
export function discard({ context, recorder }: Desk, { msg, lane }: Delivered): void {
  context.log.error('unreadable signal', { lane, subject: msg.subject });
  const kept = recorder.invalid(parseLane(lane).type, msg);
  void kept.then(() => acknowledge(msg)).catch((error: unknown) => context.log.warn('not kept', { error }));
}
