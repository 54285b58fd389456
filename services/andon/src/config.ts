import { Type } from '@sinclair/typebox';
import { outcomesVariables } from '@tps/fleet';
import type { ConfigOf } from '@tps/service';
import { MAX_PAGE } from './andon-history';

export const andonVariables = {
  ...outcomesVariables,
  TPS_RECORDS_DIR: Type.String({
    default: '',
    description:
      'folder for the index of the records, kept between restarts; empty uses a temporary one, built anew at each start',
  }),
  TPS_ANDON_HISTORY: Type.Integer({
    default: 100,
    minimum: 1,
    maximum: MAX_PAGE,
    description: 'number of items on a page of the andon history',
  }),
  TPS_ANDON_RESPOND_MS: Type.Integer({
    default: 300_000,
    minimum: 0,
    maximum: 86_400_000,
    description:
      'milliseconds until an unacknowledged call escalates; a call by a person stops its line then. 0 never escalates',
  }),
  TPS_ANDON_CALL_AFTER_MS: Type.Integer({
    default: 60_000,
    minimum: 0,
    maximum: 86_400_000,
    description:
      'milliseconds after which an open circuit or a RED light makes a call by itself; 0 never calls',
  }),
  TPS_ANDON_WEBHOOK_URL: Type.String({
    default: '',
    // The path is often the only secret that keeps other people from posting there.
    secret: true,
    // `fetch` takes no credentials in a URL.
    pattern: '^(https?://[^\\s/?#@]+([/?#]\\S*)?)?$',
    format: 'url',
    form: 'a URL with `http://` or `https://`, without credentials',
    examples: ['https://hooks.example.com/andon'],
    description: 'address to which andon posts every event as JSON; empty posts none',
  }),
};
export type AndonConfig = ConfigOf<typeof andonVariables>;
