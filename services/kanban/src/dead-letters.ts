import type { Msg } from '@nats-io/transport-node';
import { headerValues } from '@tps/bus';
import type {
  CircuitState,
  LetterReply,
  LetterRequest,
  LettersReply,
  LettersRequest,
  PurgeReply,
  PurgeRequest,
  RedriveReply,
  RedriveRequest,
  RedrivesReply,
  RedriveStart,
  RedriveStarted,
  RetryReply,
  RetryRequest,
} from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { Enqueue } from './enqueue';
import { Letters } from './letters';
import { Redrives } from './redrives';
import { Reruns } from './rerun';

/** Answers what is asked about dead letters, and works on redrives. */
export async function serveDeadLetters(
  context: ServiceContext,
  enqueue: Enqueue,
  lineOf: (type: string) => CircuitState,
): Promise<Redrives> {
  const letters = new Letters(context.bus);
  const reruns = new Reruns(context, letters, enqueue);
  const redrives = await Redrives.open(context, { letters, reruns, lineOf });
  const { subjects } = context.bus.names;
  context.endpoint<LettersRequest, LettersReply>('letters', subjects.letters, (request) =>
    letters.list(request),
  );
  context.endpoint<LetterRequest, LetterReply>('letter', subjects.letter, async ({ id }) => ({
    letter: await letters.get(id),
  }));
  context.endpoint<PurgeRequest, PurgeReply>('purge', subjects.purge, ({ filter }) => letters.purge(filter));
  context.endpoint<RetryRequest, RetryReply>('retry', subjects.retry, (request, msg) =>
    retry(letters, reruns, { request, msg }),
  );
  context.endpoint<RedriveStart, RedriveStarted>('redrive-start', subjects.redriveStart, (request) =>
    redrives.start(request),
  );
  context.endpoint<RedriveRequest, RedriveReply>('redrive', subjects.redrive, (request) =>
    redrives.get(request),
  );
  context.endpoint<null, RedrivesReply>('redrives', subjects.redrives, () => redrives.list());
  return redrives;
}

async function retry(
  letters: Letters,
  reruns: Reruns,
  { request, msg }: { request: RetryRequest; msg: Msg },
): Promise<RetryReply> {
  const entry = await letters.ofSignal(request.id);
  if (!entry) return { queued: false, reason: 'no_letter' };
  const [traceparent = ''] = headerValues(msg.headers, 'traceparent');
  const [tracestate = ''] = headerValues(msg.headers, 'tracestate');
  const result = await reruns.run(entry, request.reply_to, { traceparent, tracestate });
  if (result.kind === 'refused') return { queued: false, reason: 'refused', verdict: result.verdict };
  if (result.kind !== 'queued') {
    return { queued: false, reason: result.kind === 'gone' ? 'no_letter' : result.kind };
  }
  const { signal_type, run, timeout_ms, created_at } = result.signal;
  return { queued: true, signal_type, run, timeout_ms, created_at, duplicate: result.duplicate };
}
