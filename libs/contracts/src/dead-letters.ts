import { type Static, Type } from '@sinclair/typebox';
import { EnqueueVerdict } from './admission';
import { anyObject, count, cursor, list, nullable, oneOf, text, time } from './fields';
import { ERROR_CLASSES, ErrorClass, Outcome } from './outcome';
import { type Message, parse } from './parse';
import { Priority, Signal, signalType } from './signal';
import { version, WIRE_VERSION } from './version';

/** A message of the stream DEAD: a signal that failed or expired, with the outcome that ended it. */
export const DeadLetter = Type.Object({ v: version(), signal: Signal, outcome: Outcome });
export type DeadLetter = Static<typeof DeadLetter>;

/** A message of the stream DEAD that no worker could read, kept as it came. */
export const UnreadableDeadLetter = Type.Object({
  v: version(),
  invalid: Type.Literal(true),
  subject: text('Where it was: the subject in the queue, or `amqp:<queue>`'),
  data: text('Base64'),
  reason: Type.Optional(text('Why it could not be read')),
});
export type UnreadableDeadLetter = Static<typeof UnreadableDeadLetter>;

/** Any message of the stream DEAD. */
const DeadMessage = Type.Union([DeadLetter, UnreadableDeadLetter]);
/** A message of the stream DEAD. */
export type DeadMessage = Static<typeof DeadMessage>;

/**
 * Reads a message of the stream DEAD.
 *
 * @throws MessageError
 */
export function parseDeadMessage(message: Message, what: string): DeadMessage {
  return parse(DeadMessage, message, what);
}

/**
 * The dead letter of a message that is no signal, and its headers.
 *
 * @param seq its sequence in the stream, so that two removals at once make one dead letter
 */
export function unreadableDeadLetter(
  subject: string,
  seq: number,
  data: Uint8Array,
): { letter: UnreadableDeadLetter; headers: [string, string][] } {
  return {
    letter: { v: WIRE_VERSION, invalid: true, subject, data: Buffer.from(data).toString('base64') },
    headers: [
      ['Nats-Msg-Id', `dead:${subject}:${seq}`],
      [DEAD_LETTER_HEADERS.id, subject.split('.').at(-1) ?? ''],
      [DEAD_LETTER_HEADERS.status, 'invalid'],
    ],
  };
}

/** Headers of a dead letter, so that it can be listed and filtered without being read. */
export const DEAD_LETTER_HEADERS = {
  id: 'tps-signal',
  run: 'tps-run',
  status: 'tps-status',
  errorClass: 'tps-error-class',
  fingerprint: 'tps-fingerprint',
} as const;

/** The headers of a dead letter. Each run has one dead letter, however often it is written. */
export function deadLetterHeaders(outcome: Outcome): [string, string][] {
  const { signal_id, run, status, error_class, fingerprint } = outcome;
  const entries: [string, string][] = [
    ['Nats-Msg-Id', `dead:${signal_id}:${run}`],
    [DEAD_LETTER_HEADERS.id, signal_id],
    [DEAD_LETTER_HEADERS.run, String(run)],
    [DEAD_LETTER_HEADERS.status, status],
  ];
  if (error_class) entries.push([DEAD_LETTER_HEADERS.errorClass, error_class]);
  if (fingerprint) entries.push([DEAD_LETTER_HEADERS.fingerprint, fingerprint]);
  return entries;
}

const DEAD_LETTER_STATUSES = ['failed', 'expired', 'invalid'] as const;
/** Why a message is a dead letter. `invalid`: no worker could read it. */
export type DeadLetterStatus = (typeof DEAD_LETTER_STATUSES)[number];

/** Ids of one filter. */
export const DEAD_LETTERS_MAX_IDS = 1_000;
/** Dead letters of one page; a larger limit is cut to this. */
export const DEAD_LETTERS_MAX_LIMIT = 200;

/** Chooses the dead letters that match all of the given fields. */
export const DeadLetterFilter = Type.Object(
  {
    type: Type.Optional(signalType()),
    status: Type.Optional(oneOf(DEAD_LETTER_STATUSES, { description: '`invalid`: no worker could read it' })),
    class: Type.Optional(ErrorClass),
    fingerprint: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: 'Fingerprint that equal errors share' }),
    ),
    since: Type.Optional(time('Became a dead letter at this time or later')),
    until: Type.Optional(time('Became a dead letter before this time')),
    ids: Type.Optional(
      Type.Array(Type.String(), {
        minItems: 1,
        maxItems: DEAD_LETTERS_MAX_IDS,
        description: 'Signals by their ids',
      }),
    ),
  },
  { description: 'The dead letters that match all of these fields' },
);
export type DeadLetterFilter = Static<typeof DeadLetterFilter>;

/** A dead letter as it is listed. */
export const DeadLetterSummary = Type.Object({
  signal_id: Type.String(),
  run: count('The run that ended here'),
  signal_type: Type.String(),
  status: oneOf(DEAD_LETTER_STATUSES),
  dead_at: time('When it became a dead letter'),
  priority: Type.Optional(Priority),
  error_class: Type.Optional(oneOf(ERROR_CLASSES, { description: 'Why it did not succeed' })),
  fingerprint: Type.Optional(Type.String()),
  message: Type.Optional(text('The failure, in words')),
  attempt: Type.Optional(count('Attempts used up by this run')),
  trace_id: Type.Optional(Type.String()),
  enqueued_at: Type.Optional(time('When it was accepted')),
});
export type DeadLetterSummary = Static<typeof DeadLetterSummary>;

/** A whole dead letter. An unreadable message has `data` instead of `payload`. */
export const DeadLetterView = Type.Composite(
  [
    DeadLetterSummary,
    Type.Object({
      payload: Type.Optional(anyObject('Input of the handler')),
      timeout_ms: Type.Optional(count('As the sender asked')),
      created_at: Type.Optional(time('When the client sent it')),
      outcome: Type.Optional(Outcome),
      data: Type.Optional(text('Base64 of what no worker could read')),
      traceparent: Type.Optional(text('Trace context of the failed work, to which a new run is linked')),
    }),
  ],
  { additionalProperties: true },
);
export type DeadLetterView = Static<typeof DeadLetterView>;

/** gateway -> kanban: a page of dead letters, newest first. */
export const ListDeadLettersRequest = Type.Object({
  filter: DeadLetterFilter,
  limit: Type.Integer({ minimum: 1, description: 'Dead letters of one page' }),
  cursor: Type.Optional(cursor()),
});
export const ListDeadLettersReply = Type.Object({
  items: list(DeadLetterSummary, 'Newest first'),
  next: nullable(Type.String(), '`cursor` of the next page'),
  total: count('Dead letters that match the filter'),
});

/** gateway -> kanban: the dead letter of a signal's latest run. */
export const GetDeadLetterRequest = Type.Object({ id: Type.String() });
export const GetDeadLetterReply = Type.Object({
  letter: nullable(DeadLetterView, 'Null when there is none'),
});

/** gateway -> kanban: delete dead letters for good. A filter without any field is refused. */
export const PurgeDeadLettersRequest = Type.Object({ filter: DeadLetterFilter });
export const PurgeDeadLettersReply = Type.Object({
  deleted: count('Deleted dead letters'),
  remaining: count('Dead letters that match and are left, because the time was up: send the request again'),
});

/** gateway -> kanban: requeue the signal of this dead letter at once. */
export const RequeueRequest = Type.Object({
  id: Type.String(),
  reply_to: Type.Optional(text('Subject on which a caller waits for the outcome of the new run')),
});
/**
 * `unfinished`: the run of the dead letter is not over yet. `overtaken`: a later run exists. `invalid`: it was no signal.
 * `duplicate`: another request queued this run a moment ago.
 */
export const RequeueReply = Type.Union([
  Type.Object({
    queued: Type.Literal(true),
    signal_type: Type.String(),
    run: Type.Integer(),
    timeout_ms: Type.Number(),
    created_at: time('When the new run was requested'),
    duplicate: Type.Boolean(),
  }),
  Type.Object({
    queued: Type.Literal(false),
    reason: oneOf(['no_letter', 'unfinished', 'overtaken', 'invalid']),
  }),
  Type.Object({
    queued: Type.Literal(false),
    reason: Type.Literal('refused'),
    verdict: Type.Extract(EnqueueVerdict, Type.Object({ ok: Type.Literal(false) })),
  }),
]);
