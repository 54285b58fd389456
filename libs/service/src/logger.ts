import { createLogger as create, format, type Logger, transports } from 'winston';
import { redactUrls } from './redact';

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

/** An Error has no enumerable fields: without this it would be logged as `{}`. */
const plainErrors = format((info) => {
  if (info.error instanceof Error) {
    const { name, message, stack, cause } = info.error;
    info.error = { name, message, stack, ...(cause instanceof Error ? { cause: cause.message } : {}) };
  }
  return info;
});

const LINE = Symbol.for('message');

const withoutCredentials = format((info) => {
  info[LINE] = redactUrls(String(info[LINE]));
  return info;
});
