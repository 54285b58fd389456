import type { Static } from '@sinclair/typebox';
import type { Outcome } from '@tps/contracts';
import type { SignalAnswer } from '../api/schemas';
import type { Answer } from './submissions';

export type AnswerBody = Static<typeof SignalAnswer>;

/**
 * What a caller who handed a signal in is told.
 * @param waited false: the caller only wanted to know that it is accepted
 * @param held its line is stopped
 */
export function answerBody(answer: Answer, waited: boolean, held: boolean): AnswerBody {
  return answer.kind === 'finished' ? finishedBody(answer.outcome) : openBody(answer, waited, held);
}

function finishedBody(outcome: Outcome): AnswerBody {
  const { success, status, signal_id, message, trace_id, process_ms: duration_ms } = outcome;
  const body = { success, status, signal_id, message, trace_id, duration_ms } as AnswerBody;
  if (outcome.error_class) body.error_class = outcome.error_class;
  if (outcome.result !== undefined) body.result = outcome.result;
  return body;
}

const MESSAGES = {
  queued: 'Accepted',
  held: 'Held while its line is stopped',
  processing: 'Not finished yet',
};

function openBody(
  { signal, traceId, later }: Answer & { kind: 'open' },
  waited: boolean,
  held: boolean,
): AnswerBody {
  const status = !waited || later ? 'queued' : held ? 'held' : 'processing';
  return {
    success: null,
    status,
    signal_id: signal.id,
    message: `${MESSAGES[status]}; GET /signal/${signal.id} tells what becomes of it`,
    trace_id: traceId,
    duration_ms: 0,
  };
}
