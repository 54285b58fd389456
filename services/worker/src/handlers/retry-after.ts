import type { IncomingHttpHeaders } from 'node:http';

/** A longer wait is cut: the host may have meant it, but its clock or its units may also be wrong. */
export const LONGEST_WAIT_MS = 3_600_000;

/**
 * How long an answer asks to be left alone, in milliseconds; 0 when it does not say, or not in a form of RFC 9110
 * (seconds, or one of three kinds of date). A date counts from the answer's own `Date`, so that a host with a wrong
 * clock is understood.
 */
export function retryAfterMs(headers: IncomingHttpHeaders, nowMs: number): number {
  const told = headers['retry-after']?.trim() ?? '';
  const ms = /^\d+$/.test(told) ? Number(told) * 1000 : dateMs(told) - (dateMs(headers.date) || nowMs);
  return ms > 0 ? Math.min(ms, LONGEST_WAIT_MS) : 0;
}

/** NaN when it is no date of HTTP; Date.parse() alone would make one of `-5` and of much else. */
function dateMs(text = ''): number {
  if (!/^[A-Z][a-z]+,? .*\d\d:\d\d:\d\d/.test(text)) return NaN;
  // The form of asctime() names no zone, and all dates of HTTP are GMT.
  return Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
}
