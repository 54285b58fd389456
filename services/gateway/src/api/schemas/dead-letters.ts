import { Type } from '@sinclair/typebox';
import {
  amended,
  count,
  cursor,
  DeadLetterFilter as Filter,
  DEAD_LETTERS_MAX_IDS,
  DEAD_LETTERS_MAX_LIMIT,
  DeadLetterView,
  list,
  RedriveDryRun as DryRun,
  RedriveProgress,
  REQUESTS,
} from '@tps/contracts';

/** Each field narrows the choice; `signal_type` and `error_class` are what the dead letters call `type` and `class`. */
const { type, status, class: errorClass, ids: _ids, ...others } = Filter.properties;
const filters = { type, signal_type: type, status, class: errorClass, error_class: errorClass, ...others };
const ID = Type.String({ format: 'uuid' });
const ids = Type.Optional(
  Type.Array(ID, { minItems: 1, maxItems: DEAD_LETTERS_MAX_IDS, description: 'Signals by their ids' }),
);

export const LettersQuery = Type.Object(
  {
    ...filters,
    id: Type.Optional(ID),
    limit: Type.Integer({
      minimum: 1,
      maximum: DEAD_LETTERS_MAX_LIMIT,
      default: 50,
      description: 'Dead letters of one page',
    }),
    cursor: Type.Optional(cursor()),
  },
  { additionalProperties: false },
);
export const PurgeQuery = Type.Object({ ...filters, id: Type.Optional(ID) }, { additionalProperties: false });
export const LetterFilter = Type.Object(
  { ...filters, ids },
  { additionalProperties: false, description: 'The dead letters that match all of these fields' },
);
export const PurgeRequest = Type.Object(
  { filter: Type.Optional(LetterFilter), ids },
  { additionalProperties: false },
);
export const RedriveRequest = Type.Object(
  {
    filter: Type.Optional(LetterFilter),
    ids,
    probe: amended(REQUESTS.redriveStart.request.properties.probe, { default: [1, 5] }),
    max_per_s: amended(REQUESTS.redriveStart.request.properties.max_per_s, { default: 50 }),
    dry_run: Type.Boolean({ default: false, description: 'Only count what it would take' }),
  },
  { additionalProperties: false },
);

export const DeadLetters = REQUESTS.deadLetters.reply;
export const DeadLetter = DeadLetterView;
export const Purged = REQUESTS.purge.reply;

export const Redrive = Type.Object(
  {
    ...RedriveProgress.properties,
    remaining: count('Dead letters that the job has still to take'),
  },
  { additionalProperties: true },
);
export const Redrives = Type.Object({ items: list(Redrive, 'Newest first') });
export const RedriveDryRun = DryRun;
