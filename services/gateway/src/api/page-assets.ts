/** Style and script of the page. The Content-Security-Policy names their hashes, so nothing else runs there. */

export const STYLE = `
:root{color-scheme:light dark;--ink:#1d1d1f;--soft:#55555d;--ground:#fff;--card:#f5f5f7;--line:#c9c9d0;--red:#b3001b;--blue:#0050b3;--green:#19692c;--amber:#8a5300}
@media(prefers-color-scheme:dark){:root{--ink:#ececf0;--soft:#adadb6;--ground:#141416;--card:#1f1f23;--line:#45454d;--red:#ff7b88;--blue:#79b8ff;--green:#6fd286;--amber:#f0b455}}
*{box-sizing:border-box}
html{scroll-padding-top:4.5rem}
body{margin:0 auto;max-width:60rem;padding:1rem;font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--ground);overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:.5rem 0}h1 small{font-weight:400;color:var(--soft);font-size:1rem}
h2{font-size:1.2rem;margin:2rem 0 .6rem}
p{margin:.4rem 0}a{color:var(--blue)}
#state{position:sticky;top:0;z-index:1;margin:.75rem 0;padding:.6rem .9rem;background:var(--card);border:1px solid var(--line);border-left:.4rem solid var(--soft);border-radius:.4rem}
#state.good{border-left-color:var(--green)}#state.bad{border-left-color:var(--red)}#state.odd{border-left-color:var(--amber)}
.good b{color:var(--green)}.bad b{color:var(--red)}.odd b{color:var(--amber)}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1rem}
dl{display:grid;grid-template-columns:minmax(7rem,auto) 1fr;gap:.25rem .9rem;margin:.6rem 0;font-size:.92rem}
dt{font-weight:600}dd{margin:0;color:var(--soft)}
code,pre,textarea,summary{font-family:ui-monospace,monospace}
code{font-size:.92em}
details{background:var(--card);border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0;padding:0 1rem}
summary{cursor:pointer;padding:.6rem 0}summary b{display:inline-block;min-width:4.5rem;color:var(--blue);text-transform:uppercase}
summary span{font-family:system-ui,sans-serif;color:var(--soft);margin-left:.75rem}
details[open]{padding-bottom:1rem}
h3{font-size:.95rem;margin:1rem 0 .3rem}
.curl{display:flex;gap:.5rem;align-items:flex-start;margin:.4rem 0}
pre,textarea,input{padding:.5rem .6rem;color:var(--ink);background:var(--ground);border:1px solid var(--line);border-radius:.35rem}
pre{flex:1;min-width:0;max-height:26rem;overflow:auto;margin:0;white-space:pre-wrap;font-size:.85rem}
label{display:block;margin:.5rem 0 .15rem;font-size:.92rem;font-weight:600}label small{font-weight:400;color:var(--soft)}
input,textarea{display:block;width:100%;font-size:1rem}textarea{min-height:7.5rem;resize:vertical;font-size:.9rem}input{font-family:inherit}
button{font:inherit;font-size:.9rem;min-height:2.4rem;padding:.35rem .8rem;border:1px solid var(--line);border-radius:.35rem;background:var(--ground);color:var(--ink);cursor:pointer}
button[type=submit]{margin:.75rem 0 0;background:var(--blue);border-color:var(--blue);color:var(--ground);font-weight:600}
button:disabled{opacity:.6;cursor:default}
:focus-visible{outline:3px solid var(--blue);outline-offset:2px}
.answer:not(:empty){margin-top:.9rem}.answer ol{margin:.3rem 0;padding-left:1.5rem}
@media(max-width:36rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}.curl{flex-wrap:wrap}.curl pre{flex-basis:100%}summary span{display:block;margin:0}#state{font-size:.9rem}}
`;

/** Without it the page still documents everything. Whatever came from outside is shown as text, never as HTML. */
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
    if (!health.stations) throw new Error(health.message);
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
