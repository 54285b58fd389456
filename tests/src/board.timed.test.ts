import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { waitFor } from '@tps/testkit';
import { CHROMIUM, launchBrowser } from './browser';
import { Fleet } from './fleet';
import { OwnWorkerProcess } from './own-worker-process';

const AXE = require.resolve('axe-core/axe.min.js');

/** Pictures of a page for docs/images. */
async function photograph(page: Page, folder: string): Promise<void> {
  // A colour that is just changing would be in none of the themes.
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.screenshot({ path: `${folder}/board-${colorScheme}.png`, fullPage: true });
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await page.emulateMedia({ colorScheme: 'light' });
  await page.screenshot({ path: `${folder}/board-phone.png` });
  await page.setViewportSize({ width: 1440, height: 1000 });
}

/** Do the pages work for people, in a real browser? */
(CHROMIUM ? describe : describe.skip)(`the pages${CHROMIUM ? '' : ': skipped, no chromium'}`, () => {
  let fleet: Fleet;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    fleet = await Fleet.start({ TPS_CB_THRESHOLD: '3', TPS_CB_TIMEOUT: '600' });
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
    page.setDefaultTimeout(8_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await fleet?.stop();
  }, 60_000);
  beforeEach(() => (complaints.length = 0));
  afterEach(() => expect(complaints).toEqual([]));

  const line = (name: string) => page.locator(`#line-${name}`);
  const stopped = async (name: string): Promise<string> => {
    const { circuits } = (await fleet.get<{ circuits: Record<string, { andon_id?: string }> }>('/health'))
      .body;
    return String(circuits[name]?.andon_id);
  };
  /** Signals that succeed in between would start the count of failures in a row again. */
  const stopByFailures = (): Promise<unknown> =>
    waitFor('the line to be stopped', async () => {
      await fleet.post('execute', { chaos: { fail: 'transient' } }, { timeout_ms: 1_000 });
      const { body } = await fleet.get<{ circuits: Record<string, { state: string }> }>('/health');
      return body.circuits.execute?.state === 'Open';
    });

  test('a failing type turns its line red within two seconds, and people start it again from the page', async () => {
    await page.goto(`${fleet.url}/andon`);
    await line('execute').waitFor();
    await page.locator('#live', { hasText: 'live' }).waitFor();
    await stopByFailures();
    await page.locator('#line-execute[data-colour=RED]').waitFor({ timeout: 2_000 });
    expect(await line('execute').locator('.light').textContent()).toMatch(/RED/);
    expect(await line('validate').getAttribute('data-colour')).toBe('GREEN');
    await page.locator('#abnormal a[href="#line-execute"]').waitFor();
    await line('execute').locator('.owner', { hasText: 'Nobody looks after it yet' }).waitFor();
    await line('execute')
      .locator('.says', { hasText: /^Stopped; RED for \d+ s \(circuit\)\.$/ })
      .waitFor();
    await line('execute')
      .locator('.facts', { hasText: /^Next trial in .+, at \d\d:\d\d:\d\d\./ })
      .waitFor();
    await line('execute')
      .locator('[data-field=errors]', { hasText: /^\d of \d failed$/ })
      .waitFor();
    expect((await fleet.post('execute', { task: 'demo' })).status).toBe(503);
    await line('execute')
      .locator('.facts', { hasText: /\d refused in 5 min\.$/ })
      .waitFor();
    expect(await fleet.run('health')).toMatch(/^TPS System: ✓ UP; board RED: execute: circuit Open/m);

    await page.getByRole('button', { name: 'Failed signals of execute', exact: true }).click();
    await page.locator('#signals-dialog summary').first().click();
    await page.locator('#signals-dialog details[open] ol li', { hasText: 'accepted' }).waitFor();
    await page.keyboard.press('Escape');

    await page.getByRole('button', { name: 'Acknowledge execute' }).click();
    await page.locator('#ack-dialog input[name=who]').fill('<b>bob</b>');
    await page.keyboard.press('Enter');
    await page.locator('#history li', { hasText: 'acknowledged by <b>bob</b>' }).first().waitFor();
    await line('execute').locator('.owner', { hasText: '<b>bob</b> looks after it' }).waitFor();
    await page.getByRole('button', { name: 'Resume execute', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.locator('#resume-dialog input[name=countermeasure]').fill('mended');
    await page.keyboard.press('Enter');
    await waitFor(
      'the line to run',
      async () => (await fleet.post('execute', { task: 'demo' })).body.success,
    );
    await page.locator('#history li', { hasText: 'resumed by <b>bob</b>: mended' }).first().waitFor();
  }, 60_000);

  test('the cord is pulled with the keyboard alone', async () => {
    await page.goto(`${fleet.url}/andon`);
    await line('report').waitFor();
    await page.locator('#pull').focus();
    await page.keyboard.press('Enter');
    await page.locator('#cord-dialog select[name=type]').selectOption('report');
    await page.locator('#cord-dialog select[name=mode]').selectOption('stop');
    await page.locator('#cord-dialog input[name=reason]').fill('wrong totals');
    await page.keyboard.press('Enter');
    await page.locator('#line-report[data-colour=RED]').waitFor({ timeout: 5_000 });
    await page.locator('#calls li', { hasText: 'wrong totals' }).waitFor();
    expect(
      await page.evaluate(
        () =>
          (globalThis as unknown as { document: { activeElement: { id: string } } }).document.activeElement
            .id,
      ),
    ).toBe('pull');
  }, 30_000);

  test('a line without workers is retired from the page, and leaves it', async () => {
    const own = await OwnWorkerProcess.start(fleet, 'own-1');
    await page.goto(`${fleet.url}/andon`);
    await page.locator('#line-count-words[data-colour=GREEN]').waitFor();
    const retire = page.getByRole('button', { name: 'Retire count-words' });
    expect(await retire.isVisible()).toBe(false);
    await own.stop();
    await retire.click({ timeout: 20_000 });
    await page.locator('#retire-dialog input[name=reason]').fill('nobody counts');
    await page.locator('#retire-dialog input[name=who]').fill('bob');
    await page.keyboard.press('Enter');
    await line('count-words').waitFor({ state: 'detached' });
    await page.locator('#history li', { hasText: 'retired by bob' }).first().waitFor();
  }, 60_000);

  test('a refusal is said in the words of the gateway, and asks for the token that it takes', async () => {
    const message = 'Only an operator may do that.';
    await page.route('**/andon/cord', (route) => route.fulfill({ status: 403, json: { message } }));
    await page.goto(`${fleet.url}/andon`);
    await line('report').waitFor();
    await page.getByRole('button', { name: 'Pull the cord of report' }).click();
    await page.locator('#cord-dialog input[name=reason]').fill('wrong totals');
    await page.keyboard.press('Enter');
    await page.locator('#token-dialog', { hasText: message }).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#cord-dialog .problem', { hasText: message }).waitFor();
    await page.unroute('**/andon/cord');
    complaints.length = 0;
  });

  test('a board that hears nothing says that it is stale, and comes back by itself', async () => {
    await page.goto(`${fleet.url}/andon`);
    await page.locator('#live', { hasText: 'live' }).waitFor();
    await page.route('**/andon/events', (route) => route.abort());
    await fleet.kill('gateway-1');
    await page.locator('#live', { hasText: 'STALE' }).waitFor({ timeout: 15_000 });
    await page.unroute('**/andon/events');
    await page.locator('#live', { hasText: /^live$/ }).waitFor({ timeout: 15_000 });
    complaints.length = 0;
  }, 45_000);

  test('a signal in its backoff waits for its retry, and is in no slot', async () => {
    const { body } = await fleet.post(
      'validate',
      { data: 1, chaos: { fail: 'transient' } },
      { headers: { prefer: 'respond-async' } },
    );
    await page.goto(`${fleet.url}/andon`);
    await line('validate')
      .locator('[data-field=waiting]', { hasText: /^1 retrying$/ })
      .waitFor();
    expect(await line('validate').locator('[data-field=working]').textContent()).toBe('0');
    await fleet.call('DELETE', `/signal/${String(body.signal_id)}`);
    await line('validate').locator('[data-field=waiting]', { hasText: /^0$/ }).waitFor();
  });

  test('the charts begin before the page was opened', async () => {
    await fleet.post('validate', { data: 1 });
    await waitFor('the figures', async () => {
      const { lines } = (await fleet.get<{ lines: Record<string, object> }>('/andon/charts')).body;
      return 'validate' in lines;
    });
    await page.goto(`${fleet.url}/andon`);
    await page.locator('#line-validate .chart canvas').waitFor();
  });

  test('the page at / says what the board shows before it says that the processes are up', async () => {
    await page.goto(`${fleet.url}/`);
    await page.locator('#state.bad b', { hasText: /^Board RED: .*report: wrong totals/ }).waitFor();
  });

  test('the page at / sends a signal and shows its answer and trace', async () => {
    await page.goto(`${fleet.url}/`);
    await page.locator('#postSignal textarea').fill('{"signal_type":"execute","payload":{"task":"demo"}}');
    await page.locator('#postSignal [type=submit]').click();
    await page.locator('#postSignal .answer', { hasText: 'Execution successful' }).waitFor();
    expect(await page.locator('#postSignal .answer code').first().textContent()).toMatch(/^[0-9a-f]{32}$/);
  });

  test('a stream that has no end is shown for a while', async () => {
    await page.goto(`${fleet.url}/#andonEvents`);
    const form = page.locator('#andonEvents');
    await form.locator('[type=submit]').click();
    await form.locator('.answer pre', { hasText: 'event: board' }).waitFor();
    await form.locator('.answer', { hasText: 'The form stops here' }).waitFor();
  });

  test.each([
    ['/andon', 'light'],
    ['/andon', 'dark'],
    ['/', 'light'],
    ['/', 'dark'],
  ] as const)(
    '%s passes the checks for accessibility, %s, and fits on a phone',
    async (path, colorScheme) => {
      const context = await browser.newContext({ bypassCSP: true, colorScheme });
      const checked = await context.newPage();
      await checked.goto(fleet.url + path);
      if (path === '/andon') await checked.locator('#line-execute').waitFor();
      await checked.addScriptTag({ path: AXE });
      const { violations } = await checked.evaluate<{
        violations: { id: string; nodes: { html: string }[] }[];
      }>('axe.run()');
      await checked.setViewportSize({ width: 390, height: 844 });
      const width = await checked.evaluate<number>('document.documentElement.scrollWidth');
      await context.close();
      expect(width).toBeLessThanOrEqual(390);
      expect(violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)])).toEqual([]);
    },
  );

  const folder = process.env.SCREENSHOTS ?? '';
  (folder ? test : test.skip)(
    'with SCREENSHOTS=<folder> the pictures for the docs are taken, of a fleet in trouble',
    async () => {
      await fleet.call('POST', `/andon/${await stopped('report')}/resume`, {
        ...{ owner: 'carol', countermeasure: 'the template of last week is back' },
      });
      await page.goto(`${fleet.url}/andon`);
      const work = async (ms: number): Promise<void> => {
        for (const endMs = Date.now() + ms; Date.now() < endMs; await sleep(40 + 60 * Math.random())) {
          for (const [type, payload] of [
            ['validate', { data: 1 }],
            ['execute', { task: 'demo' }],
            ['report', {}],
          ] as const) {
            void fleet.post(type, payload, { headers: { prefer: 'respond-async' } }).catch(() => undefined);
          }
        }
      };
      await work(60_000);
      const cord = { signal_type: 'report', mode: 'call', reason: 'the totals of line 3 look wrong' };
      await fleet.call('POST', '/andon/cord', { ...cord, by: 'alice', respond_within_ms: 300_000 });
      await stopByFailures();
      await fleet.call('POST', `/andon/${await stopped('execute')}/ack`, { owner: 'bob' });
      await work(30_000);
      await photograph(page, folder);
    },
    120_000,
  );
});
