import { Type } from '@sinclair/typebox';
import type { ConfigOf } from '@tps/service';
import { type workerVariables } from '@tps/worker';

/** 1 to 65535 */
const PORT = '([1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])';
/** A wildcard is not allowed: name every host that signals may reach. */
const HOST = `\\s*([\\w.-]+|\\[[0-9A-Fa-f:.]+\\])(:${PORT})?\\s*`;

/** Variables of the built-in types, in addition to `workerVariables`. */
export const variables = {
  TPS_HTTP_ALLOWLIST: Type.String({
    default: '',
    pattern: `^(${HOST}(,${HOST})*)?$`,
    form: '`host` or `host:port`, several separated by commas, without `http://`, path or `*`',
    examples: ['hooks.example.com,10.0.0.7:8080,[::1]:8080'],
    description:
      'hosts that the task `http` may call; the port defaults to that of the scheme; empty allows none',
  }),
};
export type WorkerConfig = ConfigOf<typeof variables & typeof workerVariables>;
