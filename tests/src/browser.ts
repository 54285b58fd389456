import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const PATHS = [
  process.env.CHROMIUM_PATH ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const FLAGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';

/** The browser of this machine; undefined without one, and then the tests of the pages are skipped. */
export const CHROMIUM = PATHS.find((path) => path && existsSync(path));

if (!CHROMIUM) {
  process.stderr.write(
    'SKIPPED: the pages are not tested, no chromium here (apt-get install chromium, or CHROMIUM_PATH)\n',
  );
}

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM!, args: FLAGS.split(' ') });
}
