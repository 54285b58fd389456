import type { Answer } from './http-answer';
import { kindOf, Tally } from './tally';

const answer = (status: number, body: unknown): Answer => ({
  status,
  body: JSON.stringify(body),
  keepAlive: true,
});

describe('kindOf', () => {
  test.each([
    ['ok', answer(202, { success: true, status: 'succeeded' })],
    ['open', answer(202, { success: null, status: 'processing' })],
    ['failed', answer(202, { success: false, status: 'failed', result: { success: true } })],
    ['failed', answer(202, {})],
    ['refused', answer(429, { success: false, code: 'KANBAN_FULL' })],
    ['stopped', answer(503, { success: false, code: 'CIRCUIT_OPEN' })],
    ['failed', answer(500, { success: false, code: 'INTERNAL' })],
    ['failed', null],
  ])('%s', (kind, given) => {
    expect(kindOf(given)).toBe(kind);
  });
});

describe('Tally', () => {
  test('takes latencies of accepted signals only, and says why others were not', () => {
    const tally = new Tally();
    tally.add(5, answer(202, { success: true }));
    tally.add(6, answer(202, { success: null }));
    tally.add(1, answer(429, { code: 'KANBAN_FULL' }));
    tally.add(1, answer(429, { code: 'KANBAN_FULL' }));
    tally.add(9, null);
    expect(tally.latencies).toEqual([5, 6]);
    expect([...tally.refusals]).toEqual([
      ['429 KANBAN_FULL', 2],
      ['no answer', 1],
    ]);
    expect(tally.answered).toBe(5);
  });
});
