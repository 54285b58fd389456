import type { AndonBoard, AndonEvent, OpenCall, ReplyOf } from '@tps/contracts';
import { get } from './api.js';
import { describeCall, ownerOf } from './call-words.js';
import { acknowledge, resume, signals } from './dialogs.js';
import { button, find, keep, light, make, say, sayShort, show } from './elements.js';
import { age, clock, lineName } from './format.js';
import { stateWord } from './line-words.js';
import { trace } from './trace.js';

/** Shows the open calls of RED lines first, each with its owner and age. The board has the oldest first. */
export function showCalls(board: AndonBoard): void {
  const isRed = ({ line, stopped }: OpenCall): number =>
    Number(stopped || board.lines[line]?.colour === 'RED');
  const sorted = [...board.calls].sort((a, b) => isRed(b) - isRed(a));
  const calls = new Map(sorted.map((call) => [call.id, call]));
  keep(find('#calls'), [...calls.keys()], (id) => row(calls.get(id)!));
  for (const child of find('#calls').children) {
    const place = child as HTMLElement;
    const call = calls.get(place.dataset.key ?? '');
    if (!call) continue;
    place.dataset.colour = board.lines[call.line]?.colour ?? 'YELLOW';
    sayShort(find('.why', place), call.reason);
    const line = board.lines[call.line];
    const nowMs = Date.parse(board.at);
    say(find('.says', place), describeCall(call, line ? stateWord(line) : 'Work goes on', nowMs));
    say(find('.owner', place), ownerOf(call, nowMs));
    find('.ack', place).hidden = call.acknowledged_at !== undefined;
  }
  find('#calls-section').hidden = calls.size === 0;
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
    ack,
    ...(ofType ? [button('Signals', () => signals(name), `Failed signals of ${name}, since called`)] : []),
    button('Resume', () => resume(call.id, name), `Resume ${name} after the call`),
  );
  const why = make('span', { class: 'why' });
  const what = make('p', { class: 'what short' }, make('strong', { text: name }), ' ', why);
  const says = make('p', {}, make('span', { class: 'says' }), ' ', make('b', { class: 'owner' }), ' ');
  if (call.trace_id) says.append(trace(call.trace_id));
  return make('li', {}, what, says, acts);
}

const SHOWN = 20;

/** By the identity of an event, which may come from the stream and from the history. */
let known = new Map<string, AndonEvent>();

/** Loads the latest events whenever the stream opens: it does not bring those from before. */
export async function loadHistory(): Promise<void> {
  const { items } = await get<ReplyOf<'history'>>(`/andon/history?limit=${SHOWN}`);
  remember(items);
}

export function addToHistory(event: AndonEvent): void {
  remember([event]);
}

function remember(events: AndonEvent[]): void {
  const more = events.map((event) => [`${event.id}:${event.event}:${event.at}`, event] as const);
  // The latest comes first, also among events of one moment.
  const latest = [...new Map([...more, ...known])]
    .sort(([, a], [, b]) => Date.parse(b.at) - Date.parse(a.at))
    .slice(0, SHOWN);
  known = new Map(latest);
  keep(find('#history'), [...known.keys()], (key) => item(known.get(key)!));
  find('#no-history').hidden = known.size > 0;
}

function told({ event, by, owner, reason, countermeasure }: AndonEvent): string {
  if (event === 'changed') return reason;
  const did = event === 'pulled' ? `called by ${by}` : `${event} by ${owner ?? by}`;
  return event === 'acknowledged' ? did : `${did}: ${countermeasure ?? reason}`;
}

function item(event: AndonEvent): HTMLElement {
  const colour = light();
  show(colour, event.colour);
  const time = make('time', { text: clock(event.at), attributes: { datetime: event.at } });
  const text = told(event);
  const short = { class: 'short', attributes: { title: text } };
  const says = make('div', {}, make('p', short, make('strong', { text: lineName(event.line) }), ` ${text}`));
  if (event.trace_id) says.append(trace(event.trace_id));
  return make('li', {}, time, ' ', colour, ' ', says);
}
