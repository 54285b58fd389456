import { Type } from '@sinclair/typebox';
import type { ConfigOf } from '@tps/service';

/** `*` is no host: every host that signals may reach is named. */
const HOST = '\\s*([\\w.-]+|\\[[0-9A-Fa-f:.]+\\])(:\\d{1,5})?\\s*';

/** Beside those that every worker process has. */
export const variables = {
  TPS_HTTP_ALLOWLIST: Type.String({
    default: '',
    pattern: `^(${HOST}(,${HOST})*)?$`,
    description:
      'hosts the task `http` may deliver to, `host[:port],...`; without a port: that of the scheme; empty: none',
  }),
};
export type WorkerConfig = ConfigOf<typeof variables>;
