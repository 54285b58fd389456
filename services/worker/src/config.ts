import { Type } from '@sinclair/typebox';
import type { ConfigOf } from '@tps/service';

/** 1 to 65535 */
const PORT = '([1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])';
/** `*` is no host: every host that signals may reach is named. */
const HOST = `\\s*([\\w.-]+|\\[[0-9A-Fa-f:.]+\\])(:${PORT})?\\s*`;

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
