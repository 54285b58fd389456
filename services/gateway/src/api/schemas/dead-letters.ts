import { Type } from '@sinclair/typebox';
import {
  ERROR_CLASSES,
  LETTER_STATUSES,
  LETTERS_MAX_IDS,
  LETTERS_MAX_LIMIT,
  PrioritySchema,
  REDRIVE_STATES,
  SIGNAL_TYPE_PATTERN,
} from '@tps/contracts';
import { count, cursor, oneOf, text, time } from './fields';

const ID = Type.String({ format: 'uuid' });
const TYPE = Type.String({ pattern: SIGNAL_TYPE_PATTERN, description: 'Signal type' });
const ERROR_CLASS = oneOf(ERROR_CLASSES, { description: 'Why it did not succeed' });

/** Each of them narrows the choice; `signal_type` and `error_class` are what the letters call `type` and `class`. */
const filters = {
  type: Type.Optional(TYPE),
  signal_type: Type.Optional(TYPE),
  status: Type.Optional(oneOf(LETTER_STATUSES, { description: '`invalid`: no worker could read it' })),
  class: Type.Optional(ERROR_CLASS),
  error_class: Type.Optional(ERROR_CLASS),
  fingerprint: Type.Optional(Type.String({ maxLength: 100, description: 'Of equal errors' })),
  since: Type.Optional(time('Became a letter then or later')),
  until: Type.Optional(time('Became a letter before')),
};
const IDS = Type.Array(ID, { minItems: 1, maxItems: LETTERS_MAX_IDS, description: 'Signals by their ids' });

export const LettersQuery = Type.Object(
  {
    ...filters,
    id: Type.Optional(ID),
    limit: Type.Integer({
      minimum: 1,
      maximum: LETTERS_MAX_LIMIT,
      default: 50,
      description: 'Letters of one page',
    }),
    cursor: Type.Optional(cursor()),
  },
  { additionalProperties: false },
);
export const PurgeQuery = Type.Object({ ...filters, id: Type.Optional(ID) }, { additionalProperties: false });
export const LetterFilter = Type.Object(
  { ...filters, ids: Type.Optional(IDS) },
  { additionalProperties: false, description: 'Letters that fit all of it' },
);
export const PurgeRequest = Type.Object(
  { filter: Type.Optional(LetterFilter), ids: Type.Optional(IDS) },
  { additionalProperties: false },
);
export const RedriveRequest = Type.Object(
  {
    filter: Type.Optional(LetterFilter),
    ids: Type.Optional(IDS),
    probe: Type.Array(Type.Integer({ minimum: 1, maximum: 1_000 }), {
      maxItems: 10,
      default: [1, 5],
      description: 'Sizes of the groups that go first; each must succeed before the next',
    }),
    max_per_s: Type.Number({ minimum: 0.1, maximum: 1_000, default: 50, description: 'Pace of the rest' }),
    dry_run: Type.Boolean({ default: false, description: 'Only count what it would take' }),
  },
  { additionalProperties: false },
);

const letter = {
  signal_id: Type.String(),
  run: count('The run that ended here'),
  signal_type: Type.String(),
  status: oneOf(LETTER_STATUSES),
  dead_at: time('When it became a letter'),
  priority: Type.Optional(PrioritySchema),
  error_class: Type.Optional(ERROR_CLASS),
  fingerprint: Type.Optional(Type.String()),
  message: Type.Optional(text('In words')),
  attempt: Type.Optional(count('Attempts used up by this run')),
  trace_id: Type.Optional(Type.String()),
  enqueued_at: Type.Optional(time('When it was accepted')),
};
export const DeadLetters = Type.Object({
  items: Type.Array(Type.Object(letter), { description: 'Newest first' }),
  next: Type.Union([Type.String(), Type.Null()], { description: '`cursor` of the next page' }),
  total: count('Letters that fit'),
});
export const DeadLetter = Type.Object(
  {
    ...letter,
    payload: Type.Optional(Type.Object({}, { additionalProperties: true })),
    timeout_ms: Type.Optional(count('As the sender asked')),
    created_at: Type.Optional(time('When it was handed in')),
    outcome: Type.Optional(Type.Object({}, { additionalProperties: true })),
    data: Type.Optional(text('Base64 of what no worker could read')),
  },
  { additionalProperties: true },
);
export const Purged = Type.Object({
  deleted: count('Letters that are gone'),
  remaining: count('Letters that fit and are left, because it took too long: ask again'),
});

export const Redrive = Type.Object(
  {
    id: Type.String(),
    state: oneOf(REDRIVE_STATES, { description: '`stopped`: it stopped itself, see `stopped`' }),
    matched: count('Letters that fitted at the start'),
    redriven: count('New runs that were queued'),
    probes_succeeded: count('Of these, probes that succeeded'),
    skipped: count('Letters that needed no new run, or whose run is not over'),
    stopped: Type.Optional(
      Type.Object(
        { at: text('`probe 1 of 2`, or `rest`'), reason: text('Why') },
        { additionalProperties: true, description: 'Where and why it did not go on' },
      ),
    ),
  },
  { additionalProperties: true },
);
export const Redrives = Type.Object({ items: Type.Array(Redrive, { description: 'Newest first' }) });
export const RedriveDryRun = Type.Object({
  dry_run: Type.Literal(true),
  matched: count('Letters that it would take'),
  types: Type.Record(Type.String(), count('Of this type')),
});
