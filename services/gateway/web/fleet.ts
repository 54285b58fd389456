import type { AndonBoard, Colour, HeijunkaBoard, KanbanBoard, LineStatus } from '@tps/contracts';
import { get, Refusal } from './api.js';
import { acknowledge } from './dialogs.js';
import { button, find, keep, light, make, say, show } from './elements.js';
import { age, number, words } from './format.js';
import { errorsOf, stateWord } from './line-words.js';

let present: Partial<AndonBoard['stations']> = {};

const RANK: Record<Colour, number> = { RED: 0, YELLOW: 1, GREEN: 2 };

/** Shows each service with its processes, those that are not GREEN first. */
export function showStations(board: AndonBoard): void {
  present = board.stations;
  // The sort is stable: within a colour the services keep the order of the flow.
  const names = Object.entries(board.stations).sort(([, a], [, b]) => RANK[a.colour] - RANK[b.colour]);
  keep(
    find('#stations'),
    names.map(([name]) => name),
    row,
  );
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
}
let figures: Figures = { kanban: null, heijunka: null };

/**
 * Asks the stations for the figures of the flow. A station that does not answer shows a dash.
 * @returns the refusal that asks for the longest pause, if any
 */
export async function askFigures(): Promise<unknown> {
  const refusals: unknown[] = [];
  const ask = <T>(path: string): Promise<T | null> =>
    get<T>(path).catch((error: unknown) => {
      refusals.push(error);
      return null;
    });
  const [kanban, heijunka] = await Promise.all([
    ask<KanbanBoard>('/kanban'),
    ask<HeijunkaBoard>('/heijunka'),
  ]);
  figures = { kanban, heijunka };
  const pause = (error: unknown): number => (error instanceof Refusal ? error.retryAfterMs : 0);
  return refusals.sort((a, b) => pause(b) - pause(a))[0];
}

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);

/** Shows the flow, gateway -> jidoka -> kanban -> worker -> outcome, with the main figure of each. */
export function showFlow(board: AndonBoard): void {
  const lines = Object.values(board.lines);
  const running = lines.filter((line) => stateWord(line) === 'Running').length;
  const { kanban, heijunka } = figures;
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
      `finished; errors in 5 min: ${errorsOf(together(lines))}`,
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

/** Adds up the figures of all lines, so that too few signals read as counts here, too. */
function together(lines: readonly LineStatus[]): Parameters<typeof errorsOf>[0] {
  const processed_5m = sum(lines.map((line) => line.processed_5m));
  const failed_5m = sum(lines.map((line) => line.failed_5m ?? 0));
  const judged_from = Math.max(0, ...lines.map((line) => line.judged_from ?? 0));
  return { processed_5m, failed_5m, judged_from, error_rate: (100 * failed_5m) / Math.max(1, processed_5m) };
}

function backupOf(kanban: KanbanBoard | null): string {
  const waiting = kanban?.backup?.on_backup ?? 0;
  return waiting > 0 || kanban?.backup?.active ? `unfinished, ${waiting} on the backup` : 'unfinished';
}
