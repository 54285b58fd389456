import { type Static, Type } from '@sinclair/typebox';
import { count, oneOf, text, time } from './fields';
import { check, jsonOf, type Message, parse, readableItems } from './parse';
import { Priority, signalType } from './signal';
import { version } from './version';

/** The statuses that end a run. */
export const FINAL_STATUSES = ['succeeded', 'failed', 'rejected', 'expired', 'cancelled'] as const;
/** How a run ended. `failed` and `expired` leave a dead letter. */
export type FinalStatus = (typeof FINAL_STATUSES)[number];
/** `retrying`: this attempt failed and another follows. `returned`: released before it ran, which costs no attempt. */
export type OutcomeStatus = FinalStatus | 'retrying' | 'returned';
const OUTCOME_STATUSES: readonly OutcomeStatus[] = [...FINAL_STATUSES, 'retrying', 'returned'];

/** The error classes of an attempt. */
export const ERROR_CLASSES = ['transient', 'defect', 'capacity', 'rejected'] as const;
/**
 * Why an attempt did not succeed: `transient` is retried, `defect` (a programming error) never; `capacity` and
 * `rejected` (the sender's fault) do not count against the line.
 */
export type ErrorClass = (typeof ERROR_CLASSES)[number];
export const ErrorClass = oneOf(ERROR_CLASSES, { description: 'Why it did not succeed' });

/** How the level schedule reached this signal; becomes the attributes of the span `heijunka.level`. */
const Levelling = Type.Object({
  lane: text('`<type>/<priority>`'),
  place: Type.Integer({ description: "Position in the worker's sequence of picks since it started" }),
  card_wait_ms: Type.Number({
    description: 'Milliseconds from the decision to take a signal of this lane to its start',
  }),
});

/**
 * The end of one attempt (`final: false`) or of the whole run (`final: true`). The stream OUTCOMES holds arrays of them. The
 * first final one of each (signal, run) counts.
 */
export const Outcome = Type.Object({
  v: version(),
  signal_id: Type.String({ description: 'The id of the signal' }),
  run: Type.Integer({ minimum: 0, description: '0 for the first run; each redrive starts the next' }),
  signal_type: signalType(),
  priority: Priority,
  status: oneOf(OUTCOME_STATUSES, {
    description: '`retrying`: another attempt follows; `returned`: released before it ran',
  }),
  final: Type.Boolean({ description: 'Ends its run' }),
  attempt: count('Attempts used up by this run, this one included where it counts'),
  success: Type.Boolean({ description: 'The run succeeded' }),
  message: text('The outcome, in words'),
  error_class: Type.Optional(ErrorClass),
  fingerprint: Type.Optional(
    text('Groups equal errors: error name, message without numbers and ids, first stack frame of our own'),
  ),
  dependency: Type.Optional(
    text(
      'The dependency that failed, for example a host: the failure counts against it and not against the line',
    ),
  ),
  result: Type.Optional(Type.Unknown({ description: 'Return value of the handler' })),
  worker_id: text('Instance that wrote it'),
  enqueued_at: time('When the queue accepted the signal'),
  started_at: time('When this attempt started'),
  finished_at: time('When this attempt ended'),
  wait_ms: Type.Number({ description: 'Milliseconds from acceptance to the start of this attempt' }),
  process_ms: Type.Number({ description: 'Milliseconds of work' }),
  trace_id: text('W3C trace id, 32 hexadecimal digits; empty if the signal came without a trace'),
  delivery: Type.Optional(
    Type.Integer({
      description: "The broker's delivery count when this was written: later ones left no record",
    }),
  ),
  faults: Type.Optional(
    Type.Integer({
      description: 'Times in a row that a fault of the worker itself kept this run from starting',
    }),
  ),
  epoch: Type.Optional(
    Type.Integer({ description: 'Set by the trial of a stopped circuit: only the current epoch decides' }),
  ),
  trials: Type.Optional(
    count(
      'Failed trials of this run that used up no attempt; after three, a failed trial uses up an attempt',
    ),
  ),
  request_hash: Type.Optional(text("The signal's")),
  level: Type.Optional(Levelling),
});
export type Outcome = Static<typeof Outcome>;

/**
 * Checks one item of a message of the stream OUTCOMES. Followers of the log skip a bad item, so that it does not hide the
 * others.
 *
 * @param where names the item in the error
 * @throws MessageError
 */
export function checkOutcome(item: unknown, where: string): Outcome {
  return check(Outcome, item, where);
}

/**
 * The record of an attempt, from a message on `subjects.outcomeAttempt`. Undefined when it cannot be read: then it
 * counts as a delivery that left no record, and those who follow the log report it.
 */
export function attemptIn(message: Message): Outcome | undefined {
  try {
    return parse(Attempt, message, 'attempt')[0];
  } catch {
    return undefined;
  }
}
const Attempt = Type.Array(Outcome);

/**
 * Reads outcomes as workers send them to a caller who waits. Only the version and what a reader relies on is checked:
 * this is on the path of every signal.
 *
 * @throws MessageError
 */
export function readReplies(message: Message): Outcome[] {
  const what = 'reply of a worker';
  return readableItems(jsonOf(message, what), what) as Outcome[];
}

/** The outcome that counts: the first final one of the latest run, if that run is `fromRun` or later. */
export function finalOutcome(outcomes: readonly Outcome[], fromRun = 0): Outcome | undefined {
  const finals = outcomes.filter((outcome) => outcome.final && outcome.run >= fromRun);
  const latest = finals.reduce((run, outcome) => Math.max(run, outcome.run), fromRun);
  return finals.find((outcome) => outcome.run === latest);
}

/** The message of a hand-back that has no reason of its own. */
export const HANDED_BACK = 'handed back before it ran to its end';
const NOT_STARTED = 'not started within its timeout_ms';

type LastRecord = Pick<Outcome, 'attempt' | 'error_class' | 'message'>;

/**
 * How a run ends whose time is up. A signal whose last attempt vanished with its worker was started, so it has failed and
 * not expired. The error counts as transient, because a worker that is killed from outside loses its signals, too.
 *
 * @param attempts attempts that the run has used up
 * @param last the latest record of the run, if any
 */
export function lateEnd(
  type: string,
  attempts: number,
  last?: LastRecord,
): Pick<Outcome, 'status' | 'error_class' | 'message' | 'fingerprint'> {
  const recorded = last?.error_class ? last.attempt : 0;
  if (attempts <= recorded || attempts === 0) {
    return { status: 'expired', error_class: 'capacity', message: expiredMessage(attempts, last) };
  }
  const { message, fingerprint } = vanishedEnd(type, attempts, last);
  const late = `${message}; its timeout_ms ended before another attempt`;
  return { status: 'failed', error_class: 'transient', message: late, fingerprint };
}

/** How a run ends whose last attempt left no record, because the worker died. */
export function vanishedEnd(
  type: string,
  attempts: number,
  last?: LastRecord,
): { message: string; fingerprint: string } {
  return { message: vanishedMessage(attempts, last), fingerprint: `vanished:${type}` };
}

function vanishedMessage(attempts: number, last?: LastRecord): string {
  if (last?.error_class) {
    const vanished = attempts - last.attempt;
    return `the last ${vanished} of ${attempts} attempts left no record: the worker died; before: ${last.message}`;
  }
  return attempts === 1
    ? 'attempt 1 left no record: the worker died'
    : `${attempts} attempts left no record: the worker died each time`;
}

/** The reason why an expired signal did not start: after failed attempts the last failure, after a release its reason. */
function expiredMessage(attempts: number, last?: LastRecord): string {
  if (attempts === 0) {
    if (!last || last.error_class || last.message === HANDED_BACK) return NOT_STARTED;
    return last.message.startsWith(NOT_STARTED) ? last.message : `${NOT_STARTED}: ${last.message}`;
  }
  const before = `not started again within its timeout_ms after ${attempts} attempt${attempts > 1 ? 's' : ''}`;
  return last?.error_class ? `${before}: ${last.message}` : before;
}

/** Whether an outcome with this status ends its run. */
export function isFinal(status: OutcomeStatus): status is FinalStatus {
  return (FINAL_STATUSES as readonly string[]).includes(status);
}
