import { cardShare, type CardPosition, usableCards } from './card-share';

const standing = (given: Partial<CardPosition>): CardPosition => ({
  limit: 3,
  mine: 0,
  leased: 0,
  claimed: 0,
  slots: 4,
  ready: true,
  readyOthers: 3,
  ...given,
});

test.each<[string, Partial<CardPosition>, number]>([
  ['the first of four takes one of three', {}, 1],
  ['it takes no second card while others could use it', { mine: 1, leased: 1 }, 1],
  ['nothing is left for the fourth', { leased: 3 }, 0],
  ['alone, it takes a second and a third', { mine: 2, leased: 2, readyOthers: 0 }, 3],
  ['never more than it has slots', { limit: 100, mine: 4, leased: 4, readyOthers: 0 }, 4],
  ['it takes a part of many cards at once', { limit: 16, slots: 8 }, 4],
  [
    'a full worker gives up a card that another could use',
    { mine: 2, leased: 3, claimed: 1, ready: false },
    1,
  ],
  ['if all workers are full, it keeps its cards', { mine: 2, leased: 3, ready: false, readyOthers: 0 }, 2],
  ['if all workers are full, it takes a free card', { leased: 2, ready: false, readyOthers: 0 }, 1],
  ['it gives back cards above an even share', { mine: 3, leased: 3, claimed: 1 }, 1],
  ['with a lower limit, it gives up unused cards', { mine: 3, leased: 5, claimed: 1, readyOthers: 0 }, 1],
  ['with a lower limit, running signals keep their cards', { limit: 1, mine: 2, leased: 4, claimed: 2 }, 2],
  ['signals that ran before there was a limit count', { limit: 3, leased: 3, claimed: 4 }, 4],
  [
    'a stopping worker keeps only the cards of running signals',
    { mine: 3, leased: 3, claimed: 2, slots: 0, readyOthers: 0 },
    2,
  ],
])('%s', (_, given, expected) => {
  expect(cardShare(standing(given))).toBe(expected);
});

test.each<[string, Partial<CardPosition>, number]>([
  ['a card above its share, until another worker has it', { mine: 2, leased: 3 }, 2],
  ['all of its cards, as the only worker', { mine: 3, leased: 3, readyOthers: 0 }, 3],
  ['no card that it does not lease', { mine: 0, leased: 2 }, 0],
  ['without a slot, no card that another could use', { mine: 2, leased: 3, claimed: 1, ready: false }, 1],
  ['if all workers are full, a card to fetch ahead', { mine: 2, leased: 3, ready: false, readyOthers: 0 }, 2],
  ['with a lower limit, no card above it', { limit: 2, mine: 3, leased: 3 }, 2],
  ['no card while others lease more than the limit', { limit: 2, mine: 1, leased: 5 }, 0],
  ['stopping, none', { mine: 2, leased: 2, slots: 0 }, 0],
])('may use: %s', (_, given, expected) => {
  expect(usableCards(standing(given))).toBe(expected);
});

test('workers that decide in turn lease all cards in the end, wherever they begin', () => {
  for (const [limit, workers] of [
    [3, 4],
    [10, 4],
    [7, 2],
    [16, 4],
    [1, 5],
  ] as const) {
    const mine = Array.from({ length: workers }, () => 0);
    for (let turn = 0; turn < 50; turn += 1) {
      const i = turn % workers;
      const leased = mine.reduce((sum, n) => sum + n, 0);
      mine[i] = cardShare(standing({ limit, mine: mine[i]!, leased, readyOthers: workers - 1 }));
    }
    expect(mine.reduce((sum, n) => sum + n, 0)).toBe(Math.min(limit, workers * 4));
  }
});
