import type { IncomingHttpHeaders } from 'node:http';

/** A longer wait is cut, because the host's clock or its units may be wrong. */
export const LONGEST_WAIT_MS = 3_600_000;

/**
 * Reads how long an answer asks callers to wait, in milliseconds; 0 without a header in a form of RFC 9110 (seconds, or
 * one of three date formats). A date is relative to the answer's own `Date`, so that a host with a wrong clock is
 * understood.
 */
export function retryAfterMs(headers: IncomingHttpHeaders, nowMs: number): number {
  const told = headers['retry-after']?.trim() ?? '';
  const ms = /^\d+$/.test(told) ? Number(told) * 1000 : dateMs(told) - (dateMs(headers.date) || nowMs);
  return ms > 0 ? Math.min(ms, LONGEST_WAIT_MS) : 0;
}

/** Parses an HTTP date; NaN for anything else. Date.parse() alone would accept `-5` and much else. */
function dateMs(text = ''): number {
  if (!/^[A-Z][a-z]+,? .*\d\d:\d\d:\d\d/.test(text)) return NaN;
  // The format of asctime() has no zone, and all HTTP dates are GMT.
  return Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
}
