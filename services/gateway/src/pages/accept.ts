import type { IncomingMessage } from 'node:http';
import { ApiError, header } from '../problem';

/** RFC 9110: a number from 0 to 1 with at most three decimals. */
const QUALITY = /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/;

/** The highest quality, 0 to 1, that a client gives to a matching content type. A malformed quality counts as 0. */
export function wanted(req: IncomingMessage, type: RegExp): number {
  let most = 0;
  for (const { name, quality } of entriesOf(req)) {
    if (type.test(name) && QUALITY.test(quality)) most = Math.max(most, Number(quality));
  }
  return most;
}

/**
 * Refuses a malformed `Accept`. For operations whose answer depends on it.
 * @throws ApiError INVALID_REQUEST
 */
export function checkAccept(req: IncomingMessage): void {
  const wrong = entriesOf(req).find(({ quality }) => !QUALITY.test(quality));
  if (!wrong) return;
  const entry = `${wrong.name};q=${wrong.quality}`.slice(0, 100);
  throw new ApiError('INVALID_REQUEST', `Accept: ${entry} is not allowed: q is a number from 0 to 1.`);
}

/** Whether the answer is JSON: the client asks for it at least as much as for HTML. */
export function prefersJson(req: IncomingMessage): boolean {
  const json = wanted(req, /^application\/(json|\*)$/);
  return json > 0 && json >= wanted(req, /^text\/html$/);
}

/** Whether a browser opens the board. It needs no token, because the page itself asks for one. */
export function opensBoard(req: IncomingMessage): boolean {
  const get = req.method === 'GET' || req.method === 'HEAD';
  return get && wanted(req, /^text\/html$/) > 0 && !prefersJson(req) && /^\/andon(\?|$)/.test(req.url ?? '');
}

function entriesOf(req: IncomingMessage): { name: string; quality: string }[] {
  const entries = (header(req, 'accept') ?? '').toLowerCase().split(',');
  return entries.map((entry) => {
    const [name = '', ...parameters] = entry.split(';').map((part) => part.trim());
    const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
    return { name, quality };
  });
}
