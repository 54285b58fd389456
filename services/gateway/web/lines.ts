import type { AndonBoard, LineStatus } from '@tps/contracts';
import { LineChart } from './chart.js';
import { acknowledge, pullCord, resume, signals } from './dialogs.js';
import { button, find, keep, light, make, say, show } from './elements.js';
import { number, since, words } from './format.js';
import { trace } from './trace.js';

const charts = new Map<string, LineChart>();
let present: AndonBoard['lines'] = {};

/** One card for each line, by name, so that each keeps its place on the wall. */
export function showLines(board: AndonBoard): void {
  present = board.lines;
  keep(find('#lines'), Object.keys(board.lines).sort(), card);
  for (const [name, line] of Object.entries(board.lines)) update(name, line, board);
}

function card(name: string): HTMLElement {
  const id = `line-${name}`;
  const made = make('article', { class: 'line', attributes: { id, 'aria-labelledby': `${id}-name` } });
  const title = make('h3', { text: name, attributes: { id: `${id}-name` } });
  const figures = FIGURES.map(([label, field]) =>
    make('div', {}, make('dt', { text: label }), make('dd', { attributes: { 'data-field': field } })),
  );
  const chart = make('div', { class: 'chart', attributes: { role: 'img', 'aria-label': 'no figures yet' } });
  const owner = (act: (id: string, line: string) => void) => () => {
    const { andon_id } = present[name] ?? {};
    if (andon_id) act(andon_id, name);
  };
  const acts = make(
    'div',
    { class: 'acts' },
    button('Signals', () => signals(name), `Failed signals of ${name}`),
    button('Pull the cord', () => pullCord(Object.keys(present).sort(), name), `Pull the cord of ${name}`),
    button('Acknowledge', owner(acknowledge), `Acknowledge ${name}`),
    button('Resume', owner(resume), `Resume ${name}`),
  );
  acts.children[2]!.classList.add('when-called');
  acts.children[3]!.classList.add('when-called');
  const head = make('header', {}, title, light());
  made.append(
    head,
    make('p', { class: 'state' }, make('span', { class: 'says' }), ' ', make('span', { class: 'trace' })),
    make('dl', {}, ...figures),
    chart,
    acts,
  );
  charts.delete(name);
  return made;
}

const FIGURES = [
  ['done', 'rate'],
  ['errors', 'errors'],
  ['p99', 'p99'],
  ['waiting', 'waiting'],
  ['in work', 'working'],
  ['cards', 'cards'],
] as const;

function update(name: string, line: LineStatus, board: AndonBoard): void {
  const place = find(`#line-${CSS.escape(name)}`);
  place.dataset.colour = line.colour;
  show(find('.light', place), line.colour);
  const { queue, cards } = line;
  const values: Record<string, string> = {
    rate: `${number(line.rate_per_s)}/s`,
    errors: `${number(line.error_rate)} %`,
    p99: `${number(line.p99_ms)} ms`,
    waiting: queue ? `${queue.waiting}${queue.held ? ` (${queue.held} held)` : ''}` : '–',
    working: queue ? String(queue.in_progress) : '–',
    cards: cards ? `${cards.in_use} of ${cards.limit}` : 'no limit',
  };
  for (const [field, value] of Object.entries(values)) say(find(`[data-field=${field}]`, place), value);
  say(find('.says', place), stateOf(line));
  keep(find('.trace', place), line.trace_id ? [line.trace_id] : [], trace);
  const called = Boolean(line.andon_id);
  for (const act of place.querySelectorAll<HTMLElement>('.when-called')) act.hidden = !called;
  if (!charts.has(name)) charts.set(name, new LineChart(find('.chart', place)));
  charts.get(name)?.add(Date.parse(board.at), line.rate_per_s, queue?.waiting ?? 0);
}

function stateOf(line: LineStatus): string {
  const runs = line.stopped
    ? 'Stopped by people'
    : { Closed: 'Running', HalfOpen: 'On trial', Open: 'Stopped itself' }[line.circuit];
  if (line.colour === 'GREEN') return `${runs}, all within limits.`;
  return `${runs}. ${words(line.rule)}: ${line.reason}, for ${since(line.since)}.`;
}
