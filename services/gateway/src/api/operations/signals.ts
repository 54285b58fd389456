import { IDEMPOTENCY_KEY_PATTERN } from '@tps/contracts';
import { type Header, ID, type Operation, PREFER } from '../operation';

const ACCEPTED: Record<string, Header> = {
  Location: {
    description: 'Where to ask for the signal, `/signal/<id>`; there unless the answer has its outcome',
    schema: { type: 'string' },
  },
  'Idempotency-Replayed': {
    description: 'There if the outcome comes from the records',
    schema: { type: 'string', const: 'true' },
  },
  'Preference-Applied': {
    description: 'There if the answer did not wait for the outcome',
    schema: { type: 'string', const: 'respond-async' },
  },
};

/** Handing signals in, and asking for them. */
export const signalOperations = {
  postSignal: {
    method: 'post',
    path: '/signal',
    role: 'client',
    tag: 'Signals',
    summary: 'Hand in a signal',
    description:
      'Answers when the signal is finished, or after `timeout_ms` with what is known by then. An accepted signal is ' +
      'on disk and ends in exactly one recorded outcome, whether the caller waits or not.',
    parameters: [
      PREFER(
        '`respond-async`: answer as soon as the signal is accepted; `timeout_ms` may then be up to 24 h',
      ),
      {
        name: 'Idempotency-Key',
        in: 'header',
        required: false,
        description:
          'The same key of the same client means the same signal: a repeat gets its outcome and starts nothing. It holds ' +
          'while the signal is unfinished and while the records have its outcome (`TPS_OUTCOMES_MAX_AGE`, 24 h, as far ' +
          'as `TPS_OUTCOMES_MAX_BYTES` has room). 1 to 64 letters, digits and `-._:`. An outcome that comes ' +
          'from the records is answered with `Idempotency-Replayed: true`',
        schema: { type: 'string', pattern: IDEMPOTENCY_KEY_PATTERN },
      },
      {
        name: 'traceparent',
        in: 'header',
        required: false,
        description: 'W3C trace context to continue',
        schema: { type: 'string' },
      },
    ],
    body: 'SignalRequest',
    answers: {
      202: {
        description: 'Accepted; `status` says how far it got',
        schema: 'SignalAnswer',
        headers: ACCEPTED,
      },
    },
    errors: [
      'INVALID_SIGNAL',
      'UNKNOWN_SIGNAL_TYPE',
      'IDEMPOTENCY_CONFLICT',
      'KANBAN_FULL',
      'CIRCUIT_OPEN',
      'LINE_STOPPED',
      'NO_BROKER',
      'UNAVAILABLE',
    ],
    examples: [
      `-d '{"signal_type":"execute","payload":{"task":"demo"}}'`,
      `-d '{"signal_type":"validate","priority":2,"payload":{"data":[1,2,3]},"timeout_ms":30000}'`,
      `-H 'Prefer: respond-async' -H 'Idempotency-Key: order-42' -d '{"signal_type":"execute","payload":{"task":"demo"}}'`,
    ],
  },
  getSignal: {
    method: 'get',
    path: '/signal/{id}',
    role: 'client',
    tag: 'Signals',
    summary: 'Where a signal is, and what became of it',
    parameters: [ID, PREFER('`wait=n`: wait up to n seconds (at most 60) for the final outcome')],
    answers: { 200: { description: 'The signal', schema: 'SignalView' } },
    errors: ['NOT_FOUND', 'BEYOND_RECORDS', 'UNAVAILABLE'],
    examples: ['', `-H 'Prefer: wait=10'`],
  },
  cancelSignal: {
    method: 'delete',
    path: '/signal/{id}',
    role: 'operator',
    tag: 'Signals',
    summary: 'Take back a signal that has not started',
    parameters: [ID],
    answers: { 200: { description: 'Its outcome, `cancelled`', schema: 'CancelledSignal' } },
    errors: ['NOT_FOUND', 'ALREADY_STARTED', 'ALREADY_FINISHED', 'UNAVAILABLE'],
    examples: ['-X DELETE'],
  },
  signals: {
    method: 'get',
    path: '/signals',
    role: 'client',
    tag: 'Signals',
    summary: 'Signals by type, status and class, newest first',
    description:
      'Finished ones from the records, unless `status` asks for those that are not finished. ' +
      'A signal that was run again is listed once, with what became of it last. ' +
      'A page looks at 50,000 finished signals at most: with a filter that few of them match, it may be short or empty ' +
      'although older signals match. The list ends only where `next` is null.',
    query: 'SignalsQuery',
    answers: { 200: { description: 'A page of signals', schema: 'Signals' } },
    errors: ['UNAVAILABLE'],
    examples: ['', '-G -d status=failed -d type=execute', '-G -d status=queued,held'],
  },
  retrySignal: {
    method: 'post',
    path: '/signal/{id}/retry',
    role: 'operator',
    tag: 'Signals',
    summary: 'Run a signal again that failed or expired',
    description:
      'Starts its next run, with the time it had at first; answers as `POST /signal` does. The trace of the new run is ' +
      'linked to the one before.',
    parameters: [ID, PREFER('`respond-async`: answer as soon as the new run is queued')],
    answers: {
      202: { description: 'Queued; `status` says how far it got', schema: 'SignalAnswer', headers: ACCEPTED },
    },
    errors: [
      'UNKNOWN_SIGNAL_TYPE',
      'NOT_FOUND',
      'NOT_RETRYABLE',
      'KANBAN_FULL',
      'CIRCUIT_OPEN',
      'LINE_STOPPED',
      'NO_BROKER',
      'UNAVAILABLE',
    ],
    examples: ['-X POST'],
  },
} satisfies Record<string, Operation>;
