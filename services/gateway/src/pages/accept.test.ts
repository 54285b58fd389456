import type { IncomingMessage } from 'node:http';
import { checkAccept, opensBoard, prefersJson } from './accept';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const asked = (accept: string | undefined, more: object = {}): IncomingMessage =>
  ({ method: 'GET', url: '/andon', headers: accept === undefined ? {} : { accept }, ...more }) as never;

test.each<[accept: string | undefined, json: boolean]>([
  ['application/json', true],
  ['APPLICATION/JSON', true],
  ['application/*', true],
  ['application/json, text/html', true],
  ['application/json;q=0.8, text/html;q=0.8', true],
  ['application/json;q=0.7, text/html;q=0.8', false],
  ['application/json; charset=utf-8; q=0.5', true],
  ['application/json;q=0', false],
  // Neither a browser nor curl names JSON.
  [BROWSER, false],
  ['*/*', false],
  ['text/html', false],
  ['', false],
  [undefined, false],
  // A quality that is none counts as 0.
  ['application/json;q=2', false],
  ['application/json;q=high, text/html', false],
])('"Accept: %s" prefers JSON: %s', (accept, json) => {
  expect(prefersJson(asked(accept))).toBe(json);
});

test.each(['q=1', 'q=1.000', 'q=0', 'q=0.123', 'q=0.'])('the quality %s is allowed', (quality) => {
  expect(() => checkAccept(asked(`text/html;${quality}`))).not.toThrow();
});

test.each(['q=1.1', 'q=-1', 'q=0.1234', 'q=', 'q=x', 'q=1.001'])(
  'the quality %s is refused by name',
  (quality) => {
    expect(() => checkAccept(asked(`application/json, text/html;${quality}`))).toThrow(
      `Accept: text/html;${quality} is not allowed: q is a number from 0 to 1.`,
    );
  },
);

test.each<[what: string, accept: string, more: object, board: boolean]>([
  ['a browser', BROWSER, {}, true],
  ['a browser with a query', BROWSER, { url: '/andon?line=demo' }, true],
  ['a browser that asks for the head', BROWSER, { method: 'HEAD' }, true],
  ['a form', BROWSER, { method: 'POST' }, false],
  ['a page below the board', BROWSER, { url: '/andon/history' }, false],
  ['a page with a similar name', BROWSER, { url: '/andonx' }, false],
  ['a program', 'application/json', {}, false],
  ['curl', '*/*', {}, false],
])('%s opens the board: %s %j %s', (_, accept, more, board) => {
  expect(opensBoard(asked(accept, more))).toBe(board);
});
