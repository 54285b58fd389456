import type { AndonBoard, AndonEvent, Colour } from '@tps/contracts';
import { get, pauseAfter } from './api.js';
import { addToHistory, loadHistory, showCalls } from './calls.js';
import { askToken, needsToken, pullCord } from './dialogs.js';
import { find, keep, make, say, shape, show } from './elements.js';
import { follow } from './events.js';
import { askFigures, showFlow, showStations } from './fleet.js';
import { age } from './format.js';
import { linesText } from './line-words.js';
import { loadCharts, showLines } from './lines.js';
import { setTraces } from './trace.js';

/** A board comes every two seconds. Without one for this long, the page may show what is no longer true. */
const STALE_MS = 6_000;
const FIGURES_EVERY_MS = 5_000;
const FIGURES_AT_MOST_MS = 60_000;

let board: AndonBoard | undefined;
let heardAt = 0;
let lost = '';

function showBoard(next: AndonBoard): void {
  board = next;
  heardAt = Date.now();
  lost = '';
  find('#give-token').hidden = true;
  const lines = Object.values(next.lines);
  const missing = Object.values(next.stations).filter(({ up }) => !up).length;
  const status = find('#fleet');
  status.dataset.colour = next.colour;
  show(find('.light', status), next.colour);
  const parts = [
    linesText(lines),
    missing ? `${missing} stations missing` : '',
    next.calls.length
      ? `${next.calls.length} open ${next.calls.length === 1 ? 'call' : 'calls'}`
      : 'no open calls',
  ];
  say(find('#summary'), parts.filter(Boolean).join(' · '));
  document.title = `${next.colour} · Andon board`;
  for (const part of [showAbnormal, showLines, showStations, showFlow, showCalls]) part(next);
  showAge();
}

/** Lists the lines and stations that are not GREEN, RED first. Each is a link to its place on the page. */
function showAbnormal({ lines, stations }: AndonBoard): void {
  const all = [
    ...Object.entries(lines).map(([name, { colour }]) => ({ key: `line-${name}`, name, colour })),
    ...Object.entries(stations).map(([name, { colour }]) => ({ key: `station-${name}`, name, colour })),
  ];
  const of = (wanted: Colour): typeof all => all.filter(({ colour }) => colour === wanted);
  const lit = new Map([...of('RED'), ...of('YELLOW')].map((each) => [each.key, each]));
  keep(find('#abnormal'), [...lit.keys()], (key) =>
    make('li', {}, make('a', { attributes: { href: `#${key}` } })),
  );
  for (const child of find('#abnormal').children) {
    const { name, colour } = lit.get((child as HTMLElement).dataset.key ?? '')!;
    const link = find('a', child);
    link.dataset.colour = colour;
    link.setAttribute('aria-label', `${name}, ${colour}`);
    say(link, `${shape(colour)} ${name}`);
  }
}

/** Says how old the board is: a wall must not show yesterday's colours. */
function showAge(): void {
  const stale = Date.now() - heardAt > STALE_MS;
  document.body.classList.toggle('stale', stale);
  const text =
    heardAt === 0 ? 'no board yet' : stale ? `STALE: nothing heard for ${age(Date.now() - heardAt)}` : 'live';
  say(find('#live'), stale && lost ? `${text} (${lost})` : text);
}

function onEvent(name: string, data: string): void {
  if (name === 'board') showBoard(JSON.parse(data) as AndonBoard);
  if (name === 'andon') addToHistory(JSON.parse(data) as AndonEvent);
}

function onLost(error: unknown): void {
  lost = error instanceof Error ? error.message : String(error);
  showAge();
  if (!needsToken(error)) return;
  const give = find('#give-token');
  // The dialog opens by itself only once. A person who closes it finds the button.
  if (give.hidden) askToken(lost, () => void start());
  give.hidden = false;
}

/** Loads what the stream does not bring, each time it opens. The address of traces comes first, because the history links to them. */
async function start(): Promise<void> {
  try {
    const { traces_url } = await get<{ traces_url?: string }>('/info');
    setTraces(traces_url ?? '');
    await Promise.all([loadHistory(), loadCharts()]);
  } catch (error) {
    onLost(error);
  }
}

/** Asks for the figures again and again. The pause grows while the gateway refuses. */
async function followFigures(): Promise<never> {
  let pause = FIGURES_EVERY_MS;
  for (;;) {
    const refusal = document.hidden ? undefined : await askFigures();
    if (board) showFlow(board);
    pause = refusal ? Math.min(pause * 2, FIGURES_AT_MOST_MS) : FIGURES_EVERY_MS;
    const wait = pauseAfter(refusal, pause);
    await new Promise((resume) => setTimeout(resume, wait));
  }
}

function nextTheme(): void {
  const root = document.documentElement;
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = (root.dataset.theme ?? (dark ? 'dark' : 'light')) === 'dark' ? 'light' : 'dark';
  localStorage.setItem('tps-theme', root.dataset.theme);
  dispatchEvent(new Event('themechange'));
}

const theme = localStorage.getItem('tps-theme');
if (theme) document.documentElement.dataset.theme = theme;
find('#theme').addEventListener('click', nextTheme);
find('#give-token').addEventListener('click', () => askToken(lost, () => void start()));
find('#pull').addEventListener('click', () => pullCord(Object.keys(board?.lines ?? {}).sort()));
for (const cancel of document.querySelectorAll('.cancel')) {
  cancel.addEventListener('click', () => cancel.closest('dialog')?.close());
}
setInterval(showAge, 1_000);
void followFigures();
void follow('/andon/events', { onOpen: () => void start(), onEvent, onLost });
