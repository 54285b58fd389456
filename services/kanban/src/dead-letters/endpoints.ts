import type { Msg } from '@nats-io/transport-node';
import { headerValues } from '@tps/bus';
import type { CircuitState, ReplyOf, RequestOf } from '@tps/contracts';
import type { TypesView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { QueueWriter } from '../queue/queue-writer';
import { DeadLetterStore } from './dead-letter-store';
import { RedriveJobs } from './redrive-jobs';
import { Requeuer } from './requeuer';

/** Answers what is asked about dead letters, and works on redrives. */
export async function serveDeadLetters(
  context: ServiceContext,
  writer: QueueWriter,
  { lineOf, types }: { lineOf: (type: string) => CircuitState; types: TypesView },
): Promise<{ deadLetters: DeadLetterStore; redriveJobs: RedriveJobs }> {
  const deadLetters = new DeadLetterStore(context.bus);
  const requeuer = new Requeuer(context, deadLetters, writer);
  const redriveJobs = await RedriveJobs.open(context, { deadLetters, requeuer, lineOf, types });
  context.endpoint('deadLetters', (request) => deadLetters.list(request));
  context.endpoint('deadLetter', async ({ id }) => ({ letter: await deadLetters.get(id) }));
  context.endpoint('purge', ({ filter }) => deadLetters.purge(filter));
  context.endpoint('requeue', (request, msg) => retry(deadLetters, requeuer, { request, msg }));
  context.endpoint('redriveStart', (request) => redriveJobs.start(request));
  context.endpoint('redrive', (request) => redriveJobs.get(request));
  context.endpoint('redrives', () => redriveJobs.list());
  return { deadLetters, redriveJobs };
}

async function retry(
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
