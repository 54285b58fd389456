import { type Static, Type } from '@sinclair/typebox';
import { cursor, list, mapOf, nullable, number, oneOf, text, time } from './fields';
import { ErrorClass, FINAL_STATUSES, Outcome } from './outcome';
import { Priority, Signal, signalType } from './signal';

/** Ids of one lookup. */
export const LOOKUP_MAX_IDS = 256;
/** The longest `wait_ms` of a lookup; more is cut to this. */
export const LOOKUP_MAX_WAIT_MS = 25_000;

/** To andon: asks for the records of these signals, at most `LOOKUP_MAX_IDS`. */
export const LookupRequest = Type.Object({
  ids: Type.Array(Type.String(), { maxItems: LOOKUP_MAX_IDS }),
  wait_ms: Type.Optional(
    Type.Number({
      minimum: 0,
      description: 'Hold the answer until each id has a final outcome, at most this long',
    }),
  ),
});

/** The record of one signal. The first final outcome of each run counts. */
export const SignalRecord = Type.Object({ id: Type.String(), outcomes: list(Outcome, 'Oldest first') });
export type SignalRecord = Static<typeof SignalRecord>;

/** How far back the records reach. Outcomes from before are gone. */
export const Reach = Type.Object({
  since: time('The records are complete from this moment on'),
  hours: number('Hours from `since` until now'),
  promised_hours: number('TPS_OUTCOMES_MAX_AGE'),
});
export type Reach = Static<typeof Reach>;
const reach = Type.Optional(Type.Composite([Reach], { description: 'How far back the records reach' }));

export const LookupReply = Type.Object({
  reach,
  records: list(SignalRecord, 'One per id that the log knows, in the order asked'),
  left_out: Type.Optional(
    list(
      Type.String(),
      'Ids whose records did not fit into this message beside the others: ask again for these',
    ),
  ),
});

/** Signals of one page of a listing; more is cut to this. */
export const SIGNALS_MAX_LIMIT = 200;

const page = {
  type: Type.Optional(signalType()),
  since: Type.Optional(time('Finished, or accepted, then or later')),
  limit: Type.Integer({ minimum: 1, description: `Signals of one page, at most ${SIGNALS_MAX_LIMIT}` }),
  cursor: Type.Optional(cursor()),
};

/** gateway -> andon: signals that are finished, newest first. */
export const FinishedRequest = Type.Object({
  ...page,
  status: Type.Optional(Type.Array(oneOf(FINAL_STATUSES))),
  class: Type.Optional(ErrorClass),
});
export const FinishedReply = Type.Object({
  items: list(Outcome, 'Without results: those are in the records'),
  next: nullable(
    Type.String(),
    '`cursor` of the next page; null on the last. A page may be short or empty and not the last',
  ),
  reach,
});

/** The statuses of a signal that has no final outcome yet. */
export const OPEN_STATUSES = ['queued', 'held', 'running', 'retrying'] as const;
/** Where a signal is that has no final outcome yet. `held`: it waits for its line to start again. */
export type OpenStatus = (typeof OPEN_STATUSES)[number];

/** gateway -> kanban: signals that are accepted and not finished, newest first. */
export const OpenRequest = Type.Object({ ...page, status: Type.Optional(Type.Array(oneOf(OPEN_STATUSES))) });

/** One accepted, unfinished signal, as a list shows it. */
export const OpenSignal = Type.Object({
  signal_id: Type.String(),
  run: Type.Integer(),
  signal_type: text('Signal type'),
  priority: Priority,
  status: oneOf(OPEN_STATUSES),
  attempt: Type.Integer({ description: 'Attempts used up by this run' }),
  enqueued_at: time('When the queue accepted it'),
  timeout_ms: number('As the sender asked; 0 of a message that no worker can read'),
  trace_id: Type.String(),
  worker_id: Type.Optional(text('The worker that runs it')),
  message: Type.Optional(text('Message of the attempt that failed last')),
});
export type OpenSignal = Static<typeof OpenSignal>;
export const OpenReply = Type.Object({
  items: list(OpenSignal, 'Newest first'),
  next: nullable(Type.String(), '`cursor` of the next page; a page may be short or empty and not the last'),
});

/** gateway -> kanban: which runs of these signals are not finished. At most `SIGNALS_MAX_LIMIT` ids. */
export const OpenRunsRequest = Type.Object({ ids: Type.Array(Type.String()) });
export const OpenRunsReply = Type.Object({
  runs: mapOf(Type.Integer(), 'The run of each id that waits or works; finished and unknown ids are absent'),
});

/** A signal that is accepted and not finished, as kanban finds it. */
export const FoundSignal = Type.Object({
  signal: Signal,
  stream_seq: Type.Integer({ description: 'Its sequence in the stream KANBAN' }),
  accepted_at: time('When the queue accepted it'),
  running: Type.Boolean({ description: 'A worker has started it' }),
  worker_id: Type.Optional(text('The worker that runs it')),
  trace_id: Type.Optional(text('The trace it came with')),
});
export type FoundSignal = Static<typeof FoundSignal>;

/** gateway -> kanban: where an unfinished signal is. */
export const FindRequest = Type.Object({ id: Type.String() });
export const FindReply = Type.Object({
  found: nullable(FoundSignal, 'Null when the queue does not have it'),
});
