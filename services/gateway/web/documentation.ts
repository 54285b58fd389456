import { headers, refuse, setToken } from './api.js';
import { find, make } from './elements.js';
import { clock } from './format.js';
import { type Step, steps } from './timeline.js';

/* The page documents everything without this script, too. The script writes answers as text, never as HTML. */

const STATE_EVERY_MS = 3_000;
/** A form shows an endless stream for this long. */
const STREAM_SHOWN_MS = 5_000;

interface Health {
  healthy: boolean;
  circuit_state: string;
  queue_depth: number;
  active_workers: number;
  error_rate: number;
  reasons: string[];
  stations: Record<string, { up: boolean }>;
  /** Null while andon does not answer. */
  board: {
    colour: 'GREEN' | 'YELLOW' | 'RED';
    wrong: { name: string; reason: string; since: string }[];
  } | null;
}
interface Body {
  signal_id?: string;
  trace_id?: string;
  timeline?: Step[];
}

async function showState(): Promise<void> {
  const place = find('#state');
  let shown: Shown = { kind: 'bad', word: 'No answer', rest: ': the gateway cannot be reached' };
  try {
    shown = described((await (await fetch('/health', { headers: headers() })).json()) as Health);
  } catch {
    /* `shown` already says that there is no answer. */
  }
  const { kind, word, rest } = shown;
  // A screen reader says every change of the text, so an unchanged text stays.
  if (place.textContent === word + rest) return;
  place.className = kind;
  place.replaceChildren(make('b', { text: word }), rest);
}

interface Shown {
  kind: string;
  word: string;
  rest: string;
}

function described(health: Health): Shown {
  const stations = Object.values(health.stations);
  const parts = [
    `circuits ${health.circuit_state}`,
    `${health.queue_depth} in the queue`,
    `${health.active_workers} worker slots`,
    `${health.error_rate} % errors`,
    `${stations.filter(({ up }) => up).length} of ${stations.length} stations up`,
  ];
  const processes = health.healthy ? 'Healthy' : `Not healthy: ${health.reasons.join(', ')}`;
  const colour = health.board?.colour;
  const kind = colour === 'RED' || health.circuit_state === 'Open' ? 'bad' : 'odd';
  if (health.healthy && colour === 'GREEN') return { kind: 'good', word: processes, rest: rest(parts) };
  return { kind, word: boardWord(health.board), rest: rest([processes, ...parts]) };
}

const rest = (parts: readonly string[]): string => ` · ${parts.join(' · ')}`;

/** Names the lines and stations that are not GREEN. */
function boardWord(board: Health['board']): string {
  if (!board) return 'Board unknown';
  const named = board.wrong.map(({ name, reason, since }) => `${name}: ${reason}, since ${clock(since)}`);
  return named.length > 0 ? `Board ${board.colour}: ${named.join('; ')}` : `Board ${board.colour}`;
}

/** Builds the request that a form describes. */
function requestOf(form: HTMLFormElement): [path: string, RequestInit] {
  let path = form.dataset.path ?? '';
  const query = new URLSearchParams();
  const more: Record<string, string> = {};
  const request: RequestInit = { method: form.dataset.method?.toUpperCase() ?? 'GET' };
  for (const field of form.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>('[data-in]')) {
    const value = field.value.trim();
    const place = field.dataset.in;
    if (place === 'path') path = path.replace(`{${field.name}}`, encodeURIComponent(value));
    else if (value && place === 'query') query.set(field.name, value);
    else if (value && place === 'header') more[field.name.toLowerCase()] = value;
    else if (place === 'body') {
      request.body = value;
      more['content-type'] = 'application/json';
    }
  }
  return [path + (query.size ? `?${query}` : ''), { ...request, headers: headers(more) }];
}

async function submit(form: HTMLFormElement): Promise<void> {
  const place = find('.answer', form);
  const button = find<HTMLButtonElement>('[type=submit]', form);
  button.disabled = true;
  place.replaceChildren('Waiting for the answer …');
  const began = performance.now();
  try {
    const answer = await fetch(...requestOf(form));
    const took = Math.round(performance.now() - began);
    const first = make('p', { class: answer.ok ? 'good' : 'bad' });
    first.append(make('b', { text: `${answer.status} ${answer.statusText}` }), ` after ${took} ms`);
    place.replaceChildren(first);
    if (answer.headers.get('content-type')?.startsWith('text/event-stream')) await showStream(place, answer);
    else await showAnswer(place, await answer.text(), form.dataset.method === 'post' && answer.ok);
  } catch (error) {
    place.replaceChildren(`The request failed: ${(error as Error).message}`);
  }
  button.disabled = false;
}

async function showAnswer(place: HTMLElement, text: string, follow: boolean): Promise<void> {
  const body = parsed(text) as Body | undefined;
  if (body?.trace_id) place.append(make('p', {}, 'Trace id: ', make('code', { text: body.trace_id })));
  const shown = body === undefined ? text : JSON.stringify(body, null, 2);
  place.append(make('pre', { text: shown, attributes: { tabindex: '0' } }));
  if (!body) return;
  let { timeline } = body;
  if (follow && body.signal_id) {
    for (const field of document.querySelectorAll<HTMLInputElement>('input[name=id][data-in=path]'))
      field.value = body.signal_id;
    const waiting = make('p', { text: 'Waiting for the timeline …' });
    place.append(waiting);
    const answer = await fetch(`/signal/${encodeURIComponent(body.signal_id)}`, {
      headers: headers({ prefer: 'wait=10' }),
    });
    if (!answer.ok) await refuse(answer);
    ({ timeline } = (await answer.json()) as Body);
    waiting.remove();
  }
  if (timeline?.length) place.append(make('h3', { text: 'Timeline' }), steps(timeline));
}

/** Shows the beginning of a stream, which never ends by itself. */
async function showStream(place: HTMLElement, answer: Response): Promise<void> {
  const shown = make('pre', { attributes: { tabindex: '0' } });
  const note = make('p', { text: `Shown for ${STREAM_SHOWN_MS / 1_000} s.` });
  place.append(note, shown);
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  const end = setTimeout(() => void reader.cancel(), STREAM_SHOWN_MS);
  for (let part = await reader.read(); !part.done; part = await reader.read()) shown.append(part.value);
  clearTimeout(end);
  note.textContent = 'The form stops here; the stream itself goes on.';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function copy(button: HTMLElement): Promise<void> {
  const code = find('code', button.parentElement!);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = 'Copied';
  } catch {
    getSelection()?.selectAllChildren(code);
    button.textContent = 'Selected';
  }
  setTimeout(() => (button.textContent = 'Copy'), 1_500);
}

function fill(button: HTMLElement): void {
  const area = find<HTMLTextAreaElement>('textarea', button.closest('details')!);
  area.value = JSON.stringify(parsed(button.dataset.body ?? ''), null, 2);
  area.focus();
}

function openTarget(): void {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
}

for (const code of document.querySelectorAll('code'))
  code.textContent = code.textContent.replace('http://localhost:8080', location.origin);
for (const button of document.querySelectorAll('button')) button.hidden = false;
document.querySelector<HTMLInputElement>('#token')?.addEventListener('input', ({ target }) => {
  setToken((target as HTMLInputElement).value);
});
document.addEventListener('submit', (event) => {
  event.preventDefault();
  void submit(event.target as HTMLFormElement);
});
document.addEventListener('click', ({ target }) => {
  if (!(target instanceof HTMLElement)) return;
  if (target.matches('button.fill')) fill(target);
  if (target.matches('button.copy')) void copy(target);
});
addEventListener('hashchange', openTarget);
openTarget();
void showState();
setInterval(() => {
  if (!document.hidden) void showState();
}, STATE_EVERY_MS);
