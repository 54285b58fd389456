import type { Browser, Page } from 'playwright-core';
import { type AndonBoard, type LineStatus, type OpenCall, SERVICES } from '@tps/contracts';
import { CHROMIUM, launchBrowser } from './browser';
import { Fleet } from './fleet';

const WALL = { width: 1920, height: 1080 };
const PHONE = { width: 390, height: 844 };
/** A 200th of three metres on a screen of 50 inches; board.css has the sum. */
const READABLE_PX = 40;
/** Four lines of text. */
const CALL_PX = 160;
/** One line of a label. */
const LABEL_PX = 24;

const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();
const line = (given: Partial<LineStatus>): LineStatus => ({
  ...{ colour: 'GREEN', rule: 'within_limits', reason: 'all within limits', since: ago(180_000) },
  ...{ error_rate: 0, p99_ms: 5, processed_5m: 100, failed_5m: 0, judged_from: 20, rate_per_s: 2 },
  ...{ refused_5m: 0, circuit: 'Closed', stopped: false, state: 'running' },
  ...{ queue: queue({}), cards: { limit: 4, in_use: 0 } },
  ...given,
});
function queue(
  counts: Partial<NonNullable<NonNullable<LineStatus['queue']>['counts']>>,
): LineStatus['queue'] {
  const all = { queued: 0, held: 0, retrying: 0, in_flight: 0, running: 0, ...counts };
  return { waiting: all.queued, in_progress: all.in_flight + all.retrying, held: all.held, counts: all };
}
const red = { colour: 'RED' } as const;

/** Nine lines, as many as a wall shows at once, and each in another state. */
const lines = (): AndonBoard['lines'] => ({
  'a-healthy-line': line({}),
  'b-too-few': line({ processed_5m: 3, failed_5m: 3, error_rate: 100 }),
  'c-backing-off': line({ processed_5m: 0, queue: queue({ retrying: 1 }) }),
  'd-idle': line({ processed_5m: 0, rate_per_s: 0 }),
  'e-slow': line({ colour: 'YELLOW', rule: 'p99', reason: '99 % take up to 300 ms; the standard is 100 ms' }),
  'f-circuit': line({
    ...{ ...red, rule: 'circuit', reason: 'circuit Open: 3 failures', circuit: 'Open', state: 'stopped' },
    ...{ refused_5m: 112, next_trial_at: ago(-42_000) },
  }),
  'g-cord': line({
    ...{ ...red, rule: 'cord', reason: 'the guard is loose (alice)', circuit: 'Open', state: 'stopped' },
    ...{ stopped: true, queue: queue({ held: 7, in_flight: 1, running: 1 }) },
  }),
  'h-no-worker': line({
    ...{ ...red, rule: 'no_worker', reason: 'no living worker serves this type', state: 'no_worker' },
    ...{ queue: queue({ queued: 3 }), cards: { limit: 0, in_use: 0 } },
  }),
  'i-busy': line({
    ...{ colour: 'YELLOW', rule: 'waiting', reason: '5 wait, oldest 3.1 s of 2 s; all 4 slots busy' },
    ...{ oldest_age_ms: 3_100, max_wait_ms: 2_000, waits_for: 'all 4 slots busy (d-idle has 3)' },
    queue: queue({ queued: 5, in_flight: 6, running: 4 }),
  }),
});

/** The call that a line makes by itself after a minute of RED. */
const call = (name: string): OpenCall => ({
  ...{ id: name, line: name, rule: 'circuit', by: 'andon', mode: 'call', intake: 'refuse' },
  reason: 'the circuit has been open for 60 s: 5 failed attempts in a row, last: cannot reach the warehouse',
  ...{ opened_at: ago(120_000), age_ms: 120_000, automatic: true, recurrences: 0, stopped: false },
});

function board(shown: AndonBoard['lines']): AndonBoard {
  const station = { colour: 'GREEN', rule: 'within_limits', reason: 'ready', since: ago(60_000) } as const;
  const stations = SERVICES.map((name) => [name, { ...station, up: true, replicas: 1, instances: [] }]);
  return {
    ...{ v: 1, at: ago(0), colour: 'RED', lines: shown, position: 0 },
    calls: ['f-circuit', 'g-cord', 'h-no-worker'].map(call),
    stations: Object.fromEntries(stations) as AndonBoard['stations'],
    answers: { calls: 0, mean_acknowledge_ms: null, mean_restore_ms: null },
  };
}

/** Does the page tell one truth of every state of a line, on a wall and on a phone? */
(CHROMIUM ? describe : describe.skip)('the board of nine lines', () => {
  let fleet: Fleet;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    fleet = await Fleet.start();
    browser = await launchBrowser();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await fleet?.stop();
  }, 60_000);

  beforeEach(async () => {
    page = await browser.newPage({ viewport: WALL });
    page.setDefaultTimeout(8_000);
    await open(lines());
  });
  afterEach(() => page.close());

  const open = async (shown: AndonBoard['lines']): Promise<void> => {
    // The page opens the stream again when it ends, and shows the next board.
    await page.route('**/andon/events', (route) =>
      route.fulfill({
        contentType: 'text/event-stream',
        body: `event: board\ndata: ${JSON.stringify(board(shown))}\n\n`,
      }),
    );
    await page.goto(`${fleet.url}/andon`);
    await page.locator('#line-i-busy .light', { hasText: 'YELLOW' }).waitFor();
  };
  const heightsOf = (what: string): Promise<number[]> =>
    page
      .locator(what)
      .evaluateAll((all) =>
        (all as unknown as Heading[]).map((element) => element.getBoundingClientRect().height),
      );

  const textOf = async (name: string): Promise<Record<string, string | null>> => {
    const place = page.locator(`#line-${name}`);
    const fields = ['errors', 'waiting', 'working', 'cards'].map(async (field) => {
      return [field, await place.locator(`[data-field=${field}]`).textContent()] as const;
    });
    const says = await place.locator('.says').textContent();
    return { says, ...Object.fromEntries(await Promise.all(fields)) };
  };

  test.each([
    ['a-healthy-line', { says: 'Running, all within limits.', errors: '0 %', waiting: '0', working: '0' }],
    ['b-too-few', { says: 'Running; too few to judge (3 of 20).', errors: '3 of 3 failed' }],
    ['c-backing-off', { says: 'Running; nothing finished in 5 min.', waiting: '1 retrying', working: '0' }],
    ['e-slow', { says: 'Running; YELLOW for 3 min (p99).', errors: '0 %' }],
    ['f-circuit', { says: 'Stopped; RED for 3 min (circuit).' }],
    ['g-cord', { says: 'Stopped; RED for 3 min (cord).', waiting: '7 held', working: '1' }],
    ['h-no-worker', { says: 'No worker; RED for 3 min.', waiting: '3 queued', working: '0', cards: '–' }],
    ['i-busy', { waiting: '5 queued', working: '4 + 2 next' }],
  ])('%s says one thing', async (name, expected) => {
    expect(await textOf(name)).toMatchObject(expected);
  });

  test('an open circuit says when it tries again, and what was refused', async () => {
    const facts = await page.locator('#line-f-circuit .facts').textContent();
    expect(facts).toMatch(/^Next trial in 4\d s, at ([01]\d|2[0-3]):\d\d:\d\d\. 112 refused in 5 min\.$/);
    expect(await page.locator('#summary').textContent()).toContain('9 lines: 2 stopped, 1 without workers');
  });

  test('nine names fit on a wall, and can be read from three metres', async () => {
    const names = await page.locator('.line h3').evaluateAll((all) =>
      (all as unknown as Heading[]).map((name) => ({
        size: parseFloat(getComputedStyle(name).fontSize),
        bottom: name.getBoundingClientRect().bottom,
      })),
    );
    expect(names).toHaveLength(9);
    expect(Math.min(...names.map(({ size }) => size))).toBeGreaterThanOrEqual(READABLE_PX);
    expect(Math.max(...names.map(({ bottom }) => bottom))).toBeLessThanOrEqual(WALL.height);
  });

  test('a call on a wall is a few lines high', async () => {
    const heights = await heightsOf('#calls li');
    expect(heights).toHaveLength(3);
    expect(Math.max(...heights)).toBeLessThanOrEqual(CALL_PX);
  });

  test('the figures of more lines than a wall can show are whole words', async () => {
    const more = Object.entries(lines()).map(([name, each]) => [`${name}-too`, each] as const);
    await open({ ...lines(), ...Object.fromEntries(more) });
    await page.locator('#lines.many').waitFor();
    const labels = await heightsOf('#lines dt');
    expect(labels).toHaveLength(18 * 6);
    expect(Math.max(...labels)).toBeLessThanOrEqual(LABEL_PX);
  });

  test('a RED line comes before the others, and is above the fold of a phone', async () => {
    const shown = await page
      .locator('.line')
      .evaluateAll((all) => (all as unknown as Heading[]).map(({ id }) => id));
    expect(shown.map((id) => id.slice('line-'.length, 'line-x'.length))).toEqual([...'fgheiabcd']);
    await page.setViewportSize(PHONE);
    for (const what of ['#abnormal', '#line-f-circuit .says', '#line-f-circuit .facts']) {
      const box = await page.locator(what).boundingBox();
      expect(box && box.y + box.height).toBeLessThanOrEqual(PHONE.height);
    }
  });

  test('a line without figures has no chart', async () => {
    await page.locator('#line-a-healthy-line .chart canvas').waitFor();
    expect(await page.locator('#line-d-idle .chart').isVisible()).toBe(false);
  });
});

interface Heading {
  id: string;
  getBoundingClientRect: () => { bottom: number; height: number };
}
declare function getComputedStyle(element: Heading): { fontSize: string };
