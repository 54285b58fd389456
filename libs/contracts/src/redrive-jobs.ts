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

/** Where and why a redrive stopped itself. */
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
  { additionalProperties: true, description: 'Where and why it did not go on' },
);
export type RedriveStop = Static<typeof RedriveStop>;

/** How far a redrive is, as clients see it. */
export const RedriveProgress = Type.Object({
  id: Type.String(),
  state: oneOf(REDRIVE_STATES, { description: '`stopped`: it stopped itself, see `stopped`' }),
  matched: count('Letters that fitted at the start'),
  redriven: count('New runs that were queued'),
  probes_succeeded: count('Probes among them that succeeded'),
  skipped: count('Letters that needed no new run, or whose run is not over'),
  stopped: Type.Optional(RedriveStop),
  created_at: time('When it was ordered'),
  updated_at: time('When it was worked on last'),
  finished_at: Type.Optional(time('When it ended')),
});

/**
 * A redrive as `tps_redrives` holds it, under its id. kanban writes it, by compare-and-set; it is enough for another
 * replica to go on where it stands.
 */
export const RedriveJob = Type.Composite([
  Type.Object({ v: version() }),
  RedriveSpec,
  RedriveProgress,
  Type.Object({
    up_to_seq: count(
      'Takes dead letters up to this sequence only, so that one that fails again is not taken again',
    ),
    phase: count('Index of the probe group under way; the number of groups when all of them are through'),
    probing: list(
      Type.Object({ id: Type.String(), run: Type.Integer(), type: Type.String() }),
      'The runs of the group under way',
    ),
    owner: text('The process that works on it'),
    lease_until: time('Until when others leave it to its owner'),
  }),
]);
export type RedriveJob = Static<typeof RedriveJob>;

/** gateway -> kanban: begin a redrive. The same id once more begins nothing. */
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
  matched: count('Letters that it would take'),
  types: mapOf(count('Dead letters of this type')),
});
/** `refused`: why no further redrive may run now. `retired`: which types of the letters were retired, and by whom. */
export const StartRedriveReply = Type.Union([
  Type.Object({ redrive: RedriveJob }),
  RedriveDryRun,
  Type.Object({ refused: Type.String() }),
  Type.Object({ retired: Type.String() }),
]);

/** gateway -> kanban: how far a redrive is. */
export const GetRedriveRequest = Type.Object({
  id: Type.String(),
  wait_ms: Type.Optional(
    Type.Number({ minimum: 0, description: 'Hold the answer until it has ended, at most this long' }),
  ),
  cancel: Type.Optional(Type.Boolean({ description: 'End it: letters that it has not taken stay' })),
});
export const GetRedriveReply = Type.Object({ redrive: nullable(RedriveJob, 'Null when there is none') });
/** To kanban: all redrives under way, and the latest that ended; newest first. */
export const ListRedrivesReply = Type.Object({ redrives: list(RedriveJob, 'Newest first') });
