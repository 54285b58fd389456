import { type AndonBoard, type Colour, SERVICES } from '@tps/contracts';
import { BOARDS } from '../testing/fake-fleet';
import { summaryOf } from './board-summary';

const NOON = '2026-01-25T12:00:00.000Z';

function board(lights: Record<string, [Colour, reason: string, since?: string]>): AndonBoard {
  const { andon } = BOARDS;
  const lines = Object.entries(lights).map(([name, [colour, reason, since = NOON]]) => {
    return [name, { ...andon.lines.execute!, colour, reason, since }] as const;
  });
  const worst = (['RED', 'YELLOW'] as const).find((colour) =>
    lines.some(([, line]) => line.colour === colour),
  );
  return {
    ...andon,
    at: '2026-01-25T12:30:00.000Z',
    colour: worst ?? 'GREEN',
    lines: Object.fromEntries(lines),
  };
}

test('a board without trouble is one word', () => {
  expect(SERVICES.every((name) => BOARDS.andon.stations[name].colour === 'GREEN')).toBe(true);
  expect(summaryOf(board({ press: ['GREEN', 'fine'] }))).toEqual({
    colour: 'GREEN',
    summary: 'GREEN',
    wrong: [],
  });
});

test('lines that are not GREEN come RED first, with reason and age', () => {
  const { summary, wrong, colour } = summaryOf(
    board({
      press: ['YELLOW', 'p99 of 300 ms'],
      drill: ['RED', 'circuit Open: 3 failures in a row', '2026-01-24T23:59:00.000Z'],
      saw: ['GREEN', 'fine'],
    }),
  );
  expect(colour).toBe('RED');
  expect(wrong.map(({ name }) => name)).toEqual(['drill', 'press']);
  expect(summary).toBe(
    'RED: drill: circuit Open: 3 failures in a row, since 2026-01-24 23:59 UTC; press: p99 of 300 ms, since 12:00 UTC',
  );
});

test('the sentence stays short, the list is complete', () => {
  const { summary, wrong } = summaryOf(
    board({
      a: ['RED', 'x'.repeat(500)],
      b: ['RED', 'b'],
      c: ['RED', 'c'],
      d: ['RED', 'd'],
      e: ['RED', 'e'],
    }),
  );
  expect(summary).toMatch(/^RED: a: x{160}…, since 12:00 UTC; b: b, .*; and 2 more$/);
  expect(wrong).toHaveLength(5);
});

test('a station is named as one', () => {
  const { andon } = BOARDS;
  const kanban = { ...andon.stations.kanban, colour: 'RED' as const, reason: 'no process is ready' };
  const { wrong } = summaryOf({ ...board({}), stations: { ...andon.stations, kanban } });
  expect(wrong[0]).toMatchObject({ name: 'station kanban', colour: 'RED' });
});
