import type { IncomingMessage } from 'node:http';
import { header } from '../problem';

/** How much a client wants a content type that matches, 0 to 1. */
export function wanted(req: IncomingMessage, type: RegExp): number {
  let most = 0;
  for (const entry of (header(req, 'accept') ?? '').toLowerCase().split(',')) {
    const [name = '', ...parameters] = entry.split(';').map((part) => part.trim());
    const quality = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1);
    if (type.test(name)) most = Math.max(most, quality);
  }
  return most;
}

/** Whoever asks for JSON gets it; everybody else is shown the page. */
export function prefersJson(req: IncomingMessage): boolean {
  const json = wanted(req, /^application\/(json|\*)$/);
  return json > 0 && json >= wanted(req, /^text\/html$/);
}

/** A browser opens the board: it cannot send a token before the page has asked for one. */
export function opensBoard(req: IncomingMessage): boolean {
  const get = req.method === 'GET' || req.method === 'HEAD';
  return get && wanted(req, /^text\/html$/) > 0 && !prefersJson(req) && /^\/andon(\?|$)/.test(req.url ?? '');
}
