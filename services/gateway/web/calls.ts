import type { AndonBoard, AndonEvent, HistoryReply, OpenCall } from '@tps/contracts';
import { get } from './api.js';
import { acknowledge, resume, signals } from './dialogs.js';
import { button, find, keep, light, make, say, show } from './elements.js';
import { age, clock, lineName, words } from './format.js';
import { trace } from './trace.js';

/** Open calls, oldest first, with who looks after each and for how long it has been open. */
export function showCalls(board: AndonBoard): void {
  const calls = new Map(board.calls.map((call) => [call.id, call]));
  keep(find('#calls'), [...calls.keys()], (id) => row(calls.get(id)!));
  for (const child of find('#calls').children) {
    const place = child as HTMLElement;
    const call = calls.get(place.dataset.key ?? '');
    if (!call) continue;
    place.dataset.colour = call.stopped ? 'RED' : 'YELLOW';
    say(find('.says', place), describe(call));
    find('.ack', place).hidden = call.acknowledged_at !== undefined;
  }
  find('#no-calls').hidden = calls.size > 0;
  const { mean_acknowledge_ms, mean_restore_ms, calls: resumed } = board.answers;
  const mean = (ms: number | null): string => (ms === null ? '–' : age(ms));
  const answers = `${resumed} resumed so far; acknowledged after ${mean(mean_acknowledge_ms)}, running again after ${mean(mean_restore_ms)} on average.`;
  say(find('#answers'), resumed > 0 ? answers : '');
}

function row(call: OpenCall): HTMLElement {
  const name = lineName(call.line);
  const ack = button('Acknowledge', () => acknowledge(call.id, name), `Acknowledge the call on ${name}`);
  ack.classList.add('ack');
  const ofType = call.line === name;
  const acts = make(
    'div',
    { class: 'acts' },
    ...(ofType ? [button('Signals', () => signals(name), `Failed signals of ${name}, since called`)] : []),
    ack,
    button('Resume', () => resume(call.id, name), `Resume ${name} after the call`),
  );
  const says = make('p', {}, make('strong', { text: name }), ' ', make('span', { class: 'says' }), ' ');
  if (call.trace_id) says.append(trace(call.trace_id));
  return make('li', {}, says, acts);
}

function describe(call: OpenCall): string {
  const who = call.owner ? `${call.owner} looks after it` : 'nobody looks after it yet';
  const state = call.stopped ? 'stopped' : 'called, work goes on';
  const again = call.recurrences > 0 ? `; again, after ${call.recurrences} countermeasures` : '';
  return `${state} for ${age(call.age_ms)} by ${call.by} (${words(call.rule)}): ${call.reason}; ${who}${again}.`;
}

const SHOWN = 20;

/** By what makes an event one: it may come from the stream and from the history. */
let known = new Map<string, AndonEvent>();

/** Asked whenever the stream opens: what happened while it was away is in here. */
export async function loadHistory(): Promise<void> {
  const { items } = await get<HistoryReply>(`/andon/history?limit=${SHOWN}`);
  remember(items);
}

export function addToHistory(event: AndonEvent): void {
  remember([event]);
}

function remember(events: AndonEvent[]): void {
  for (const event of events) known.set(`${event.id}:${event.event}:${event.at}`, event);
  const latest = [...known].sort(([, a], [, b]) => Date.parse(b.at) - Date.parse(a.at)).slice(0, SHOWN);
  known = new Map(latest);
  keep(find('#history'), [...known.keys()], (key) => item(known.get(key)!));
}

function item(event: AndonEvent): HTMLElement {
  const colour = light();
  show(colour, event.colour);
  const who = event.owner ?? event.by;
  const did = event.event === 'changed' ? words(event.rule) : `${event.event} by ${who}`;
  const why = event.countermeasure ?? event.reason;
  const time = make('time', { text: clock(event.at), attributes: { datetime: event.at } });
  const made = make(
    'li',
    {},
    time,
    ' ',
    colour,
    ' ',
    make('strong', { text: lineName(event.line) }),
    ` ${did}: ${why} `,
  );
  if (event.trace_id) made.append(trace(event.trace_id));
  return made;
}
