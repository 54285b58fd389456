import { createLogger as create, format, type Logger, transports } from 'winston';
import { redactUrls } from './redact';
import { describeThrown, isError, readSafely } from './thrown';

export type { Logger };

/**
 * One JSON object a line on stdout. Fields a message may carry: `trace_id`, `signal_id`, `error`. Payloads and secrets
 * are never logged.
 */
export function createLogger(service: string, instance: string, level: string): Logger {
  return create({
    level,
    defaultMeta: { service, instance },
    format: format.combine(plainErrors(), format.timestamp(), format.json(), withoutCredentials()),
    transports: [new transports.Console()],
  });
}

/** Makes the field `error` plain: an Error has no enumerable fields, and the getters of a thrown object may throw. */
const plainErrors = format((info) => {
  if (typeof info.error !== 'object' || info.error === null) return info;
  const cause = readSafely(info.error, 'cause');
  info.error = {
    ...describeThrown(info.error),
    ...(isError(cause) ? { cause: describeThrown(cause).message } : {}),
  };
  return info;
});

const LINE = Symbol.for('message');

const withoutCredentials = format((info) => {
  info[LINE] = redactUrls(String(info[LINE]));
  return info;
});
