import type { Msg } from '@nats-io/transport-node';
import { headerValues } from '@tps/bus';
import type { ReplyOf, RequestOf } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { DeadLetterStore } from './dead-letter-store';
import type { RedriveJobs } from './redrive-jobs';
import type { Requeuer } from './requeuer';

/** Answers the requests for dead letters and redrive jobs. */
export function serveDeadLetters(
  context: ServiceContext,
  deadLetters: DeadLetterStore,
  requeuer: Requeuer,
  redriveJobs: RedriveJobs,
): void {
  context.endpoint('deadLetters', (request) => deadLetters.list(request));
  context.endpoint('deadLetter', async ({ id }) => ({ letter: await deadLetters.get(id) }));
  context.endpoint('purge', ({ filter }) => deadLetters.purge(filter));
  context.endpoint('requeue', (request, msg) => requeue(deadLetters, requeuer, { request, msg }));
  context.endpoint('redriveStart', (request) => redriveJobs.start(request));
  context.endpoint('redrive', (request) => redriveJobs.get(request));
  context.endpoint('redrives', () => redriveJobs.list());
}

async function requeue(
  deadLetters: DeadLetterStore,
  requeuer: Requeuer,
  { request, msg }: { request: RequestOf<'requeue'>; msg: Msg },
): Promise<ReplyOf<'requeue'>> {
  const entry = await deadLetters.ofSignal(request.id);
  if (!entry) return { queued: false, reason: 'no_letter' };
  const [traceparent = ''] = headerValues(msg.headers, 'traceparent');
  const [tracestate = ''] = headerValues(msg.headers, 'tracestate');
  const result = await requeuer.requeue(entry, request.reply_to, { traceparent, tracestate });
  if (result.kind === 'refused') return { queued: false, reason: 'refused', verdict: result.verdict };
  if (result.kind !== 'queued') {
    return { queued: false, reason: result.kind === 'gone' ? 'no_letter' : result.kind };
  }
  const { signal_type, run, timeout_ms, created_at } = result.signal;
  return { queued: true, signal_type, run, timeout_ms, created_at, duplicate: result.duplicate };
}
