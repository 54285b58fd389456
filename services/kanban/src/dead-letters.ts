import type { Msg } from '@nats-io/transport-node';
import { headerValues } from '@tps/bus';
import type { CircuitState, ReplyOf, RequestOf } from '@tps/contracts';
import type { TypesView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { Enqueue } from './enqueue';
import { Letters } from './letters';
import { Redrives } from './redrives';
import { Reruns } from './rerun';

/** Answers what is asked about dead letters, and works on redrives. */
export async function serveDeadLetters(
  context: ServiceContext,
  enqueue: Enqueue,
  { lineOf, types }: { lineOf: (type: string) => CircuitState; types: TypesView },
): Promise<{ letters: Letters; redrives: Redrives }> {
  const letters = new Letters(context.bus);
  const reruns = new Reruns(context, letters, enqueue);
  const redrives = await Redrives.open(context, { letters, reruns, lineOf, types });
  context.endpoint('letters', (request) => letters.list(request));
  context.endpoint('letter', async ({ id }) => ({ letter: await letters.get(id) }));
  context.endpoint('purge', ({ filter }) => letters.purge(filter));
  context.endpoint('retry', (request, msg) => retry(letters, reruns, { request, msg }));
  context.endpoint('redriveStart', (request) => redrives.start(request));
  context.endpoint('redrive', (request) => redrives.get(request));
  context.endpoint('redrives', () => redrives.list());
  return { letters, redrives };
}

async function retry(
  letters: Letters,
  reruns: Reruns,
  { request, msg }: { request: RequestOf<'retry'>; msg: Msg },
): Promise<ReplyOf<'retry'>> {
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
