import type { AndonBoard, HeijunkaBoard, KaizenBoard, KanbanBoard } from '@tps/contracts';
import { get, Refusal } from './api.js';
import { acknowledge } from './dialogs.js';
import { button, find, keep, light, make, say, show } from './elements.js';
import { age, number, words } from './format.js';

let present: Partial<AndonBoard['stations']> = {};

/** Each service with its processes. */
export function showStations(board: AndonBoard): void {
  present = board.stations;
  keep(find('#stations'), Object.keys(board.stations), row);
  for (const child of find('#stations').children) {
    const place = child as HTMLElement;
    const station = board.stations[place.dataset.key as keyof AndonBoard['stations']];
    place.dataset.colour = station.colour;
    show(find('.light', place), station.colour);
    const silent = station.instances.filter(({ silent_ms }) => silent_ms > 3_000);
    const heard = silent.map(({ instance, silent_ms }) => `${instance} silent for ${age(silent_ms)}`);
    const why = station.colour === 'GREEN' ? [] : [`${words(station.rule)}: ${station.reason}`];
    const count = `${station.replicas} ${station.replicas === 1 ? 'replica' : 'replicas'}`;
    say(find('.says', place), [count, ...why, ...heard].join('; '));
    const called = board.calls.some(({ id }) => id === station.andon_id);
    find('.ack', place).hidden = station.andon_id === undefined || called;
  }
}

function row(name: string): HTMLElement {
  const ack = button(
    'Acknowledge',
    () => {
      const id = present[name as keyof AndonBoard['stations']]?.andon_id;
      if (id) acknowledge(id, `station ${name}`);
    },
    `Acknowledge station ${name}`,
  );
  ack.classList.add('ack');
  const parts = [make('strong', { text: name }), light(), make('span', { class: 'says' }), ack];
  return make('li', { attributes: { id: `station-${name}` } }, ...parts);
}

interface Figures {
  kanban: KanbanBoard | null;
  heijunka: HeijunkaBoard | null;
  kaizen: KaizenBoard | null;
}
let figures: Figures = { kanban: null, heijunka: null, kaizen: null };

/**
 * What the boards of the stations add to the flow; one that does not answer shows a dash.
 * @returns the refusal that asks for the longest pause, if any
 */
export async function askFigures(): Promise<unknown> {
  const refusals: unknown[] = [];
  const ask = <T>(path: string): Promise<T | null> =>
    get<T>(path).catch((error: unknown) => {
      refusals.push(error);
      return null;
    });
  const [kanban, heijunka, kaizen] = await Promise.all([
    ask<KanbanBoard>('/kanban'),
    ask<HeijunkaBoard>('/heijunka'),
    ask<KaizenBoard>('/kaizen'),
  ]);
  figures = { kanban, heijunka, kaizen };
  const pause = (error: unknown): number => (error instanceof Refusal ? error.retryAfterMs : 0);
  return refusals.sort((a, b) => pause(b) - pause(a))[0];
}

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);

/** gateway -> jidoka -> kanban -> worker -> outcome, with what passes each. */
export function showFlow(board: AndonBoard): void {
  const lines = Object.values(board.lines);
  const running = lines.filter(({ circuit, stopped }) => circuit === 'Closed' && !stopped).length;
  const { kanban, heijunka, kaizen } = figures;
  const arrivals =
    heijunka && sum(Object.values(heijunka.demand).map(({ arrivals_per_s }) => arrivals_per_s));
  const workers = heijunka && Object.values(heijunka.distribution);
  const steps: Record<string, [string, string]> = {
    gateway: [arrivals === null ? '–' : `${number(arrivals)}/s`, 'accepted'],
    jidoka: [`${running} of ${lines.length}`, 'lines run'],
    kanban: [kanban ? `${kanban.queue_depth} of ${kanban.buffer}` : '–', backupOf(kanban)],
    worker: [
      workers ? `${sum(workers.map(({ busy }) => busy))} of ${sum(workers.map(({ slots }) => slots))}` : '–',
      'slots busy',
    ],
    outcome: [
      `${number(sum(lines.map(({ rate_per_s }) => rate_per_s)))}/s`,
      kaizen ? `finished, ${number(kaizen.error_rate_5m)} % errors` : 'finished',
    ],
  };
  for (const [name, [value, text]] of Object.entries(steps)) {
    const place = find(`#flow-${name}`);
    say(find('.figure', place), value);
    say(find('small', place), text);
    const station = board.stations[name as keyof AndonBoard['stations']] as { colour: string } | undefined;
    if (station) show(find('.light', place), station.colour);
  }
}

function backupOf(kanban: KanbanBoard | null): string {
  const waiting = kanban?.backup?.on_backup ?? 0;
  return waiting > 0 || kanban?.backup?.active ? `unfinished, ${waiting} on the backup` : 'unfinished';
}
