import { get, Refusal, send, setToken } from './api.js';
import { find, make } from './elements.js';
import { age } from './format.js';
import { type Step, steps } from './timeline.js';
import { trace } from './trace.js';

const WHO = 'tps-name';
type Fields = Record<string, string>;

/** Opens a dialog of the page and hands its fields to `submitted`. The dialog shows an error, and asks for a token if one is missing. */
function open(id: string, values: Fields, submitted: (fields: Fields) => Promise<void>): void {
  const dialog = find<HTMLDialogElement>(`#${id}`);
  const form = find<HTMLFormElement>('form', dialog);
  const problem = find('.problem', form);
  form.reset();
  problem.textContent = '';
  for (const [name, value] of Object.entries({ who: localStorage.getItem(WHO) ?? '', ...values })) {
    const field = form.elements.namedItem(name);
    if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.value = value;
    for (const place of form.querySelectorAll(`[data-text=${name}]`)) place.textContent = value;
  }
  form.onsubmit = (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(form)) as Fields;
    if (fields.who) localStorage.setItem(WHO, fields.who);
    const submit = find<HTMLButtonElement>('[type=submit]', form);
    submit.disabled = true;
    problem.textContent = '';
    submitted(fields)
      .then(() => dialog.close())
      .catch((error: unknown) => {
        problem.textContent = error instanceof Error ? error.message : String(error);
        if (needsToken(error)) askToken(problem.textContent, () => form.requestSubmit());
      })
      .finally(() => (submit.disabled = false));
  };
  if (!dialog.open) dialog.showModal();
}

export function needsToken(error: unknown): boolean {
  return error instanceof Refusal && (error.status === 401 || error.status === 403);
}

/** @param given runs as soon as the token is kept */
export function askToken(why: string, given: () => void): void {
  open('token-dialog', { why }, async ({ token }) => {
    setToken(token ?? '');
    setTimeout(given);
  });
}

export function pullCord(types: string[], type?: string): void {
  const select = find<HTMLSelectElement>('#cord-dialog select[name=type]');
  select.replaceChildren(...types.map((name) => make('option', { text: name })));
  open('cord-dialog', type ? { type } : {}, ({ type: signal_type, mode, reason, who, intake }) =>
    send('POST', '/andon/cord', {
      signal_type,
      mode,
      reason,
      ...(who ? { by: who } : {}),
      intake: intake ?? 'refuse',
    }),
  );
}

export function acknowledge(id: string, line: string): void {
  open('ack-dialog', { line }, ({ who, minutes }) =>
    send('POST', `/andon/${encodeURIComponent(id)}/ack`, {
      owner: who,
      ...(minutes ? { eta_ms: Math.round(Number(minutes) * 60_000) } : {}),
    }),
  );
}

export function resume(id: string, line: string): void {
  open('resume-dialog', { line }, ({ who, countermeasure, force }) =>
    send('POST', `/andon/${encodeURIComponent(id)}/resume`, {
      owner: who,
      countermeasure,
      ...(force ? { force: true } : {}),
    }),
  );
}

export function retire(line: string): void {
  open('retire-dialog', { line }, ({ who, reason }) =>
    send('DELETE', `/types/${encodeURIComponent(line)}`, { reason, ...(who ? { by: who } : {}) }),
  );
}

interface Listed {
  signal_id: string;
  status: string;
  message?: string;
  trace_id?: string;
  created_at?: string;
  finished_at?: string;
  enqueued_at?: string;
}

let asked = 0;

/** Shows the latest signals of a line, each with its trace and its timeline. */
export function signals(type: string, status = 'failed'): void {
  const dialog = find<HTMLDialogElement>('#signals-dialog');
  const select = find<HTMLSelectElement>('select', dialog);
  const list = find('.signals', dialog);
  const path = (): string =>
    `/signals?type=${encodeURIComponent(type)}&status=${encodeURIComponent(select.value)}`;
  const load = async (): Promise<void> => {
    const question = (asked += 1);
    list.replaceChildren(make('p', { text: 'Asking …' }));
    try {
      const { items } = await get<{ items: Listed[] }>(path());
      // Meanwhile somebody chose another line or status.
      if (question !== asked) return;
      list.replaceChildren(...(items.length ? items.map(row) : [make('p', { text: 'None.' })]));
    } catch (error) {
      if (question !== asked) return;
      list.replaceChildren(make('p', { class: 'problem', text: String((error as Error).message) }));
      if (needsToken(error)) askToken((error as Error).message, () => void load());
    }
  };
  find('[data-text=line]', dialog).textContent = type;
  select.value = status;
  select.onchange = () => void load();
  dialog.showModal();
  void load();
}

function row({
  signal_id,
  status,
  message,
  trace_id,
  finished_at,
  enqueued_at,
  created_at,
}: Listed): HTMLElement {
  const at = finished_at ?? enqueued_at ?? created_at;
  const ago = at ? `${age(Date.now() - Date.parse(at))} ago` : '';
  const story = make('div', {});
  const details = make(
    'details',
    {},
    make('summary', {}, make('code', { text: signal_id }), ` ${status} ${ago}`),
    ...(message ? [make('p', { text: message })] : []),
    ...(trace_id ? [trace(trace_id)] : []),
    story,
  );
  details.addEventListener('toggle', () => {
    if (details.open && !story.hasChildNodes()) void tell(signal_id, story);
  });
  return details;
}

async function tell(id: string, place: HTMLElement): Promise<void> {
  place.textContent = 'Asking …';
  try {
    const { timeline } = await get<{ timeline: Step[] }>(`/signal/${encodeURIComponent(id)}`);
    place.replaceChildren(steps(timeline));
  } catch (error) {
    place.replaceChildren(make('p', { class: 'problem', text: (error as Error).message }));
  }
}
