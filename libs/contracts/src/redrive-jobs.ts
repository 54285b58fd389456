import { type Static, Type } from '@sinclair/typebox';
import { DeadLetterFilter } from './dead-letters';
import { count, list, mapOf, nullable, oneOf, text, time } from './fields';
import { ErrorClass } from './outcome';
import { version } from './version';

/** The task of a redrive job. */
const RedriveSpec = Type.Object({
  filter: DeadLetterFilter,
  probe: Type.Array(Type.Integer({ minimum: 1, maximum: 1_000 }), {
    maxItems: 10,
    description: 'Sizes of the groups that go first; each must succeed before the next',
  }),
  max_per_s: Type.Number({
    minimum: 0.1,
    maximum: 1_000,
    description: 'Runs queued per second after the probes',
  }),
});

const REDRIVE_STATES = ['running', 'completed', 'stopped', 'cancelled'] as const;

/** Where and why a redrive job stopped itself. */
export const RedriveStop = Type.Object(
  {
    at: text('`probe 1 of 2`, or `rest`'),
    reason: text('Why'),
    signal_id: Type.Optional(Type.String()),
    run: Type.Optional(Type.Integer()),
    status: Type.Optional(Type.String()),
    error_class: Type.Optional(ErrorClass),
    message: Type.Optional(Type.String()),
    trace_id: Type.Optional(Type.String()),
  },
  { additionalProperties: true, description: 'Where and why it stopped itself' },
);
export type RedriveStop = Static<typeof RedriveStop>;

/** The progress of a redrive job, as clients see it. */
export const RedriveProgress = Type.Object({
  id: Type.String(),
  state: oneOf(REDRIVE_STATES, { description: '`stopped`: it stopped itself, see `stopped`' }),
  matched: count('Dead letters that matched at the start'),
  redriven: count('New runs that were queued'),
  probes_succeeded: count('Probes among them that succeeded'),
  skipped: count('Dead letters that needed no new run, or whose run is not over'),
  stopped: Type.Optional(RedriveStop),
  created_at: time('When it was requested'),
  updated_at: time('When it was worked on last'),
  finished_at: Type.Optional(time('When it ended')),
});

/**
 * A redrive job as the bucket `tps_redrives` holds it, under its id. kanban writes it by compare-and-set. The record is
 * enough for another replica to continue the job.
 */
export const RedriveJob = Type.Composite([
  Type.Object({ v: version() }),
  RedriveSpec,
  RedriveProgress,
  Type.Object({
    up_to_seq: count(
      'Takes dead letters up to this sequence only, so that one that fails again is not taken again',
    ),
    phase: count('Index of the probe group under way; the number of groups when all of them have succeeded'),
    probing: list(
      Type.Object({ id: Type.String(), run: Type.Integer(), type: Type.String() }),
      'The runs of the group under way',
    ),
    owner: text('The process that runs the job'),
    lease_until: time('Until when no other process takes the job over'),
  }),
]);
export type RedriveJob = Static<typeof RedriveJob>;

/** gateway -> kanban: start a redrive job. A repeat of the same id starts no second one. */
export const StartRedriveRequest = Type.Composite([
  RedriveSpec,
  Type.Object({
    id: Type.String(),
    dry_run: Type.Optional(Type.Boolean({ description: 'Only count what it would take' })),
  }),
]);

/** The dead letters that a redrive job would take. */
export const RedriveDryRun = Type.Object({
  dry_run: Type.Literal(true),
  matched: count('Dead letters that it would take'),
  types: mapOf(count('Dead letters of this type')),
});
/** `refused`: why no further redrive job may run now. `retired`: which types of the dead letters were retired, and by whom. */
export const StartRedriveReply = Type.Union([
  Type.Object({ redrive: RedriveJob }),
  RedriveDryRun,
  Type.Object({ refused: Type.String() }),
  Type.Object({ retired: Type.String() }),
]);

/** gateway -> kanban: the progress of a redrive job. */
export const GetRedriveRequest = Type.Object({
  id: Type.String(),
  wait_ms: Type.Optional(
    Type.Number({ minimum: 0, description: 'Delay the answer until the job has ended, at most this long' }),
  ),
  cancel: Type.Optional(Type.Boolean({ description: 'End it: dead letters that it has not taken stay' })),
});
export const GetRedriveReply = Type.Object({ redrive: nullable(RedriveJob, 'Null when there is none') });
/** To kanban: all running redrive jobs, and the latest that ended; newest first. */
export const ListRedrivesReply = Type.Object({ redrives: list(RedriveJob, 'Newest first') });
