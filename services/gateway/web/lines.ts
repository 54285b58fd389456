import type { AndonBoard, LineStatus, OpenCall } from '@tps/contracts';
import { ownerOf, stateOf } from './calls.js';
import { LineChart } from './chart.js';
import { acknowledge, pullCord, resume, retire, signals } from './dialogs.js';
import { button, find, keep, light, make, say, sayShort, show } from './elements.js';
import { number, since, words } from './format.js';
import { trace } from './trace.js';

/** With more than so many, those that are green show less, so that all fit on a wall. */
const MANY = 6;

const charts = new Map<string, LineChart>();
let present: AndonBoard['lines'] = {};

/** One card for each line, by name, so that each keeps its place on the wall. */
export function showLines(board: AndonBoard): void {
  present = board.lines;
  const names = Object.keys(board.lines).sort();
  keep(find('#lines'), names, card);
  find('#lines').classList.toggle('many', names.length > MANY);
  find('#no-lines').hidden = names.length > 0;
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
    button('Retire', () => retire(name), `Retire ${name}`),
  );
  acts.children[2]!.classList.add('when-called', 'ack');
  acts.children[3]!.classList.add('when-called');
  acts.children[4]!.classList.add('retire');
  const head = make('header', {}, title, light());
  const state = make(
    'div',
    { class: 'state' },
    make(
      'p',
      {},
      ...[make('span', { class: 'says' }), ' ', make('b', { class: 'owner' }), ' '],
      make('span', { class: 'trace' }),
    ),
    make('p', { class: 'why short' }),
  );
  made.append(head, state, make('dl', {}, ...figures), chart, acts);
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
  const { queue, cards, processed_5m } = line;
  const call = board.calls.find((open) => open.line === name);
  const values: Record<string, string> = {
    rate: `${number(line.rate_per_s)}/s`,
    errors: processed_5m ? `${number(line.error_rate)} %` : '–',
    p99: processed_5m ? `${number(line.p99_ms)} ms` : '–',
    waiting: queue ? `${queue.waiting}${queue.held ? ' held' : ''}` : '–',
    working: queue ? String(queue.in_progress) : '–',
    cards: cards ? `${cards.in_use} of ${cards.limit}` : 'no limit',
  };
  for (const [field, value] of Object.entries(values)) say(find(`[data-field=${field}]`, place), value);
  showState(place, line, call);
  keep(find('.trace', place), line.trace_id ? [line.trace_id] : [], trace);
  const called = Boolean(line.andon_id);
  for (const act of place.querySelectorAll<HTMLElement>('.when-called')) act.hidden = !called;
  find('.ack', place).hidden = !called || call?.owner !== undefined;
  find('.retire', place).hidden = line.rule !== 'no_worker';
  if (!charts.has(name)) charts.set(name, new LineChart(find('.chart', place)));
  charts.get(name)?.add(Date.parse(board.at), line.rate_per_s, queue?.waiting ?? 0);
}

function showState(place: HTMLElement, line: LineStatus, call: OpenCall | undefined): void {
  const runs = stateOf(line, call);
  const green = line.colour === 'GREEN';
  const given = `${runs}; ${line.colour} for ${since(line.since)} (${words(line.rule)}).`;
  say(find('.says', place), green ? `${runs}, all within limits.` : given);
  say(find('.owner', place), line.andon_id ? ownerOf(call) : '');
  sayShort(find('.why', place), green ? '' : line.reason);
}
