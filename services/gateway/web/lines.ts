import type { AndonBoard, LineStatus, OpenCall, ReplyOf } from '@tps/contracts';
import { get } from './api.js';
import { ownerOf } from './call-words.js';
import { LineChart } from './chart.js';
import { acknowledge, pullCord, resume, retire, signals } from './dialogs.js';
import { button, find, keep, light, make, say, sayShort, show } from './elements.js';
import { number } from './format.js';
import {
  errorsOf,
  facts,
  linesInOrder,
  sentence,
  waitingCount,
  waitingText,
  workingText,
} from './line-words.js';
import { trace } from './trace.js';

/** The maximum of lines that fit on a wall with readable names. Above it, GREEN lines show no chart. */
const MANY = 9;

const charts = new Map<string, LineChart>();
let kept: ReplyOf<'charts'> | undefined;
let present: AndonBoard['lines'] = {};

/** Shows one card for each line, RED first, so that a phone shows it without scrolling. */
export function showLines(board: AndonBoard): void {
  present = board.lines;
  const names = linesInOrder(board.lines);
  keep(find('#lines'), names, card);
  find('#lines').classList.toggle('many', names.length > MANY);
  find('#no-lines').hidden = names.length > 0;
  for (const name of charts.keys()) if (!(name in present)) charts.delete(name);
  for (const name of names) update(name, board.lines[name]!, board);
}

/** Loads the last hour whenever the stream opens: andon has kept the figures that this page did not see. */
export async function loadCharts(): Promise<void> {
  kept = await get<ReplyOf<'charts'>>('/andon/charts');
  for (const [name, chart] of charts) fill(name, chart);
}

function fill(name: string, chart: LineChart): void {
  const figures = kept?.lines[name];
  if (kept && figures) chart.load(Date.parse(kept.from) / 1_000, figures);
}

const FIGURES = [
  ['done', 'rate'],
  ['errors', 'errors'],
  ['p99', 'p99'],
  ['waiting', 'waiting'],
  ['running', 'working'],
  ['cards', 'cards'],
] as const;

function card(name: string): HTMLElement {
  const id = `line-${name}`;
  const made = make('article', { class: 'line', attributes: { id, 'aria-labelledby': `${id}-name` } });
  const title = make('h3', { text: name, attributes: { id: `${id}-name` } });
  const figures = FIGURES.map(([label, field]) =>
    make('div', {}, make('dt', { text: label }), make('dd', { attributes: { 'data-field': field } })),
  );
  const chart = make('div', { class: 'chart', attributes: { role: 'img', 'aria-label': 'no figures yet' } });
  chart.hidden = true;
  const state = make(
    'div',
    { class: 'state' },
    make(
      'p',
      {},
      ...[make('strong', { class: 'says' }), ' ', make('span', { class: 'facts' }), ' '],
      ...[make('b', { class: 'owner' }), ' ', make('span', { class: 'trace' })],
    ),
    make('p', { class: 'why short' }),
  );
  made.append(make('header', {}, title, light()), state, make('dl', {}, ...figures), chart, actsOf(name));
  charts.set(name, new LineChart(chart));
  fill(name, charts.get(name)!);
  return made;
}

function actsOf(name: string): HTMLElement {
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
  return acts;
}

function update(name: string, line: LineStatus, board: AndonBoard): void {
  const place = find(`#line-${CSS.escape(name)}`);
  place.dataset.colour = line.colour;
  show(find('.light', place), line.colour);
  const { queue, cards, processed_5m } = line;
  const call = board.calls.find((open) => open.line === name);
  const values: Record<string, string> = {
    rate: `${number(line.rate_per_s)}/s`,
    errors: errorsOf(line),
    p99: processed_5m ? `${number(line.p99_ms)} ms` : '–',
    waiting: waitingText(queue),
    working: workingText(queue),
    cards: cards?.limit ? `${cards.in_use} of ${cards.limit}` : '–',
  };
  for (const [field, value] of Object.entries(values)) say(find(`[data-field=${field}]`, place), value);
  showState(place, line, call, Date.parse(board.at));
  keep(find('.trace', place), line.trace_id ? [line.trace_id] : [], trace);
  const called = Boolean(line.andon_id);
  for (const act of place.querySelectorAll<HTMLElement>('.when-called')) act.hidden = !called;
  find('.ack', place).hidden = !called || call?.owner !== undefined;
  find('.retire', place).hidden = line.rule !== 'no_worker';
  charts.get(name)?.add(Date.parse(board.at), line.rate_per_s, waitingCount(queue));
}

/** @param nowMs by the clock of the fleet, which may differ from the one of this machine */
function showState(place: HTMLElement, line: LineStatus, call: OpenCall | undefined, nowMs: number): void {
  say(find('.says', place), sentence(line, nowMs));
  say(find('.facts', place), facts(line, nowMs));
  say(find('.owner', place), line.andon_id ? ownerOf(call, nowMs) : '');
  sayShort(find('.why', place), line.colour === 'GREEN' ? '' : line.reason);
}
