import type { IncomingMessage } from 'node:http';
import { preferences } from './prefer';

const read = (prefer: string | undefined) =>
  preferences({ headers: { prefer } } as unknown as IncomingMessage);

test.each([
  [undefined, false, 0],
  ['', false, 0],
  ['respond-async', true, 0],
  ['Respond-Async', true, 0],
  ['respond-async=""', true, 0],
  ['respond-async; foo=bar, wait=5', true, 5_000],
  ['wait=10', false, 10_000],
  [' wait = "10" ', false, 10_000],
  ['wait=9999999999999', false, 60_000],
  ['wait=0', false, 0],
  // RFC 7240: the first counts, and unknown preferences are ignored.
  ['wait=5, wait=10', false, 5_000],
  ['wait=0, wait=10', false, 0],
  ['handling=lenient; wait=abc, return=minimal,,', false, 0],
  ['x="a, wait=abc \\", respond-async", respond-async', true, 0],
])('Prefer: %s', (prefer, respondAsync, waitMs) => {
  expect(read(prefer)).toEqual({ respondAsync, waitMs });
});

test.each([
  ['wait=abc', 'wait=abc'],
  ['wait=10abc', 'wait=10abc'],
  ['wait=-1', 'wait=-1'],
  ['wait=1.5', 'wait=1.5'],
  ['wait=', 'wait='],
  ['wait', 'wait'],
  ['respond-async, wait=5, wait=x', 'wait=x'],
  ['respond-async=false', 'respond-async=false'],
  ['wait="5', 'wait="5'],
])('Prefer: %s is refused by name', (prefer, named) => {
  expect(() => read(prefer)).toThrow(`Prefer: ${named} is not allowed: `);
});
