import { Type } from '@sinclair/typebox';
import { type ConfigOf, outcomesVariables } from '@tps/service';
import { MAX_PAGE } from './history';

export const andonVariables = {
  ...outcomesVariables,
  TPS_ANDON_HISTORY: Type.Integer({
    default: 100,
    minimum: 1,
    maximum: MAX_PAGE,
    description: 'items on a page of the andon history',
  }),
  TPS_ANDON_RESPOND_MS: Type.Integer({
    default: 300_000,
    minimum: 0,
    maximum: 86_400_000,
    description: 'milliseconds in which a call must be acknowledged, or its line stops; 0: it never does',
  }),
  TPS_ANDON_WEBHOOK_URL: Type.String({
    default: '',
    // Its path is often all that keeps others from posting there.
    secret: true,
    // `fetch` takes no credentials in a URL.
    pattern: '^(https?://[^\\s/?#@]+([/?#]\\S*)?)?$',
    format: 'url',
    description: 'where every event of the andon is posted as JSON; empty: nowhere',
  }),
};
export type AndonConfig = ConfigOf<typeof andonVariables>;
