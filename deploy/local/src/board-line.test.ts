import { boardSuffix, suffixIn } from './board-line';

test.each([
  [{ colour: 'GREEN', summary: 'GREEN' }, ''],
  [
    { colour: 'RED', summary: 'RED: drill: circuit Open, since 12:03 UTC' },
    '; board RED: drill: circuit Open, since 12:03 UTC',
  ],
  [null, '; board unknown: andon does not answer'],
  [undefined, '; board unknown: andon does not answer'],
])('the board %j is said as "%s"', (board, suffix) => {
  expect(suffixIn(JSON.stringify({ healthy: true, board }))).toBe(suffix);
});

test('a gateway that does not answer tells nothing of the board, and a fleet without one has none to tell', async () => {
  expect(await boardSuffix('http://127.0.0.1:1')).toBe('; board unknown: the gateway does not answer');
  expect(await boardSuffix(undefined)).toBe('');
});
