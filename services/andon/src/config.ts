import { Type } from '@sinclair/typebox';
import { outcomesVariables } from '@tps/fleet';
import type { ConfigOf } from '@tps/service';
import { MAX_PAGE } from './history';

export const andonVariables = {
  ...outcomesVariables,
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
    description: 'milliseconds until an unacknowledged call stops its line; 0 never stops it',
  }),
  TPS_ANDON_WEBHOOK_URL: Type.String({
    default: '',
    // The path is often the only secret that keeps others from posting there.
    secret: true,
    // `fetch` takes no credentials in a URL.
    pattern: '^(https?://[^\\s/?#@]+([/?#]\\S*)?)?$',
    format: 'url',
    description: 'address to which andon posts every event as JSON; empty posts none',
  }),
};
export type AndonConfig = ConfigOf<typeof andonVariables>;
