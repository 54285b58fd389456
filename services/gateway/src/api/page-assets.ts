/**
 * The script of the page, which the Content-Security-Policy names by its hash. Without it the page still documents
 * everything. Whatever came from outside is shown as text, never as HTML.
 */
export const SCRIPT = `
const find = (selector, root = document) => root.querySelector(selector);
function element(name, text, ...children) {
  const made = document.createElement(name);
  made.append(text, ...children);
  return made;
}
function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  const token = find('#token');
  if (token && token.value) headers.set('authorization', 'Bearer ' + token.value);
  return fetch(path, { ...options, headers });
}
function parsed(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}

async function showState() {
  const place = find('#state');
  let kind = 'bad', word = 'No answer', rest = ': the gateway cannot be reached';
  try {
    const health = await (await ask('/health')).json();
    const up = Object.values(health.stations).filter((station) => station.up).length;
    kind = health.healthy ? 'good' : health.circuit_state === 'Open' ? 'bad' : 'odd';
    word = health.healthy ? 'Healthy' : 'Not healthy';
    rest = (health.reasons.length ? ': ' + health.reasons.join(', ') : '') +
      ' \\u00b7 circuits ' + health.circuit_state + ' \\u00b7 ' + health.queue_depth + ' in the queue \\u00b7 ' +
      health.active_workers + ' worker slots \\u00b7 ' + health.error_rate + ' % errors \\u00b7 ' +
      up + ' of ' + Object.keys(health.stations).length + ' stations up';
  } catch { /* What is shown then stands above. */ }
  // A screen reader says every change: there should be none without news.
  if (place.textContent === word + rest) return;
  place.className = kind;
  place.replaceChildren(element('b', word), rest);
}
showState();
setInterval(() => { if (!document.hidden) showState(); }, 3000);

/** The request a form describes. */
function requestOf(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const options = { method: form.dataset.method.toUpperCase(), headers: {} };
  for (const field of form.querySelectorAll('[data-in]')) {
    const value = field.value.trim(), place = field.dataset.in;
    if (place === 'path') path = path.replace('{' + field.name + '}', encodeURIComponent(value));
    else if (value && place === 'query') query.set(field.name, value);
    else if (value && place === 'header') options.headers[field.name] = value;
    else if (place === 'body') {
      options.body = value;
      options.headers['content-type'] = 'application/json';
    }
  }
  return [path + (query.size ? '?' + query : ''), options];
}
async function submit(form) {
  const place = find('.answer', form), button = find('[type=submit]', form);
  button.disabled = true;
  place.replaceChildren('Waiting for the answer \\u2026');
  const began = performance.now();
  try {
    const answer = await ask(...requestOf(form));
    const text = await answer.text(), body = parsed(text);
    const took = Math.round(performance.now() - began);
    const first = element('p', element('b', answer.status + ' ' + answer.statusText), ' after ' + took + ' ms');
    first.className = answer.ok ? 'good' : 'bad';
    place.replaceChildren(first);
    if (body && body.trace_id) place.append(element('p', 'Trace id: ', element('code', body.trace_id)));
    const shown = element('pre', body === undefined ? text : JSON.stringify(body, null, 2));
    shown.tabIndex = 0;
    place.append(shown);
    if (body) await showTimeline(place, body, form.dataset.method === 'post' && answer.ok);
  } catch (error) {
    place.replaceChildren('The request failed: ' + error.message);
  }
  button.disabled = false;
}
async function showTimeline(place, body, follow) {
  let { signal_id, timeline } = body;
  if (follow && signal_id) {
    for (const field of document.querySelectorAll('input[name=id][data-in=path]')) field.value = signal_id;
    const waiting = element('p', 'Waiting for the timeline \\u2026');
    place.append(waiting);
    const answer = await ask('/signal/' + signal_id, { headers: { prefer: 'wait=10' } });
    ({ timeline } = await answer.json());
    waiting.remove();
  }
  if (!timeline || !timeline.length) return;
  const start = Date.parse(timeline[0].at);
  const lines = timeline.map((entry) => {
    const parts = [entry.event.replaceAll('_', ' '), entry.worker_id && 'on ' + entry.worker_id,
      entry.attempt && 'attempt ' + entry.attempt, entry.status, entry.message];
    return element('li', '+' + (Date.parse(entry.at) - start) + ' ms: ' + parts.filter(Boolean).join(', '));
  });
  place.append(element('h3', 'Timeline'), element('ol', '', ...lines));
}

for (const code of document.querySelectorAll('code')) code.textContent = code.textContent.replace('http://localhost:8080', location.origin);
for (const button of document.querySelectorAll('button')) button.hidden = false;
document.addEventListener('submit', (event) => {
  event.preventDefault();
  submit(event.target);
});
document.addEventListener('click', async ({ target }) => {
  if (target.matches('button.fill')) {
    const form = find('form', target.closest('details'));
    find('textarea', form).value = JSON.stringify(parsed(target.dataset.body), null, 2);
    find('textarea', form).focus();
  }
  if (!target.matches('button.copy')) return;
  const code = find('code', target.parentElement);
  try { await navigator.clipboard.writeText(code.textContent); target.textContent = 'Copied'; }
  catch { getSelection().selectAllChildren(code); target.textContent = 'Selected'; }
  setTimeout(() => { target.textContent = 'Copy'; }, 1500);
});
function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.matches('details')) target.open = true;
}
addEventListener('hashchange', openTarget);
openTarget();
`;
