import type { Answer } from './http-answer';
import { AnswerCounts, kindOf } from './answer-counts';

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

describe('AnswerCounts', () => {
  test('keeps latencies of accepted signals only, and counts the reasons of the others', () => {
    const counts = new AnswerCounts();
    counts.add(5, answer(202, { success: true }));
    counts.add(6, answer(202, { success: null }));
    counts.add(1, answer(429, { code: 'KANBAN_FULL' }));
    counts.add(1, answer(429, { code: 'KANBAN_FULL' }));
    counts.add(9, null);
    expect(counts.latencies).toEqual([5, 6]);
    expect([...counts.refusals]).toEqual([
      ['429 KANBAN_FULL', 2],
      ['no answer', 1],
    ]);
  });
});
