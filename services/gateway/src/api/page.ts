import { createHash } from 'node:crypto';
import { API_ERRORS } from '@tps/contracts';
import type { OpenApiDocument, OpenApiOperation } from './openapi';

export interface Page {
  html: string;
  /** CSP sources of the page's own style and script; nothing else is allowed to run. */
  styleSource: string;
  scriptSource: string;
}

const STYLE = `
:root{color-scheme:light dark;--ink:#1d1d1f;--soft:#5b5b63;--ground:#fff;--card:#f5f5f7;--line:#d9d9de;--red:#b3001b;--blue:#0050b3}
@media(prefers-color-scheme:dark){:root{--ink:#ececf0;--soft:#a5a5ae;--ground:#141416;--card:#1f1f23;--line:#35353b;--red:#ff6b7a;--blue:#79b8ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:56rem;padding:1rem;font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line)}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1rem}a{color:var(--blue)}
section{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;margin:.75rem 0}
h3{font:600 1rem/1.4 ui-monospace,monospace;margin:0;overflow-wrap:anywhere}h3 b{color:var(--red);text-transform:uppercase}
p{margin:.35rem 0}dl{display:grid;grid-template-columns:minmax(6rem,auto) 1fr;gap:.2rem .75rem;margin:.5rem 0;font-size:.9rem}
dt{font-family:ui-monospace,monospace;overflow-wrap:anywhere}dd{margin:0;color:var(--soft);overflow-wrap:anywhere}
.curl{display:flex;gap:.5rem;align-items:flex-start;margin:.4rem 0}
pre{flex:1;min-width:0;margin:0;padding:.5rem .6rem;background:var(--ground);border:1px solid var(--line);border-radius:.35rem;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem}
button{font:inherit;font-size:.85rem;padding:.4rem .7rem;border:1px solid var(--line);border-radius:.35rem;background:var(--ground);color:var(--ink);cursor:pointer}
button:focus-visible,a:focus-visible{outline:2px solid var(--blue);outline-offset:2px}
@media(max-width:36rem){dl{grid-template-columns:1fr}dd{margin-bottom:.3rem}.curl{flex-direction:column}pre{width:100%}}
`;

/** The lines name the host the page came from; without a script they still can be copied by hand. */
const SCRIPT = `
for (const code of document.querySelectorAll('code')) code.textContent = code.textContent.replace('http://localhost:8080', location.origin);
document.addEventListener('click', async ({ target }) => {
  if (!target.matches('button.copy')) return;
  const code = target.parentElement.querySelector('code');
  try { await navigator.clipboard.writeText(code.textContent); target.textContent = 'Copied'; }
  catch { getSelection().selectAllChildren(code); target.textContent = 'Selected'; }
  setTimeout(() => { target.textContent = 'Copy'; }, 1500);
});
`;

/** The API as one page, made from its OpenAPI document. */
export function apiPage(document: OpenApiDocument): Page {
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const tags = [...new Set(all.map(({ operation }) => operation.tags[0] ?? ''))];
  const groups = tags.map((tag) => {
    const sections = all.filter(({ operation }) => operation.tags[0] === tag);
    return `<h2 id="${escape(tag)}">${escape(tag)}</h2>${sections.map(section).join('')}`;
  });
  const errors = Object.entries(API_ERRORS).map(
    ([code, { status, meaning }]) => `<dt id="${code}">${status} ${code}</dt><dd>${escape(meaning)}</dd>`,
  );
  const { title, version, description } = document.info;
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escape(title)}</title><style>${STYLE}</style></head><body>
<header><h1>${escape(title)} <small>${escape(version)}</small></h1><p>${escape(description)}</p></header>
<nav>${[...tags, 'Errors'].map((tag) => `<a href="#${tag}">${tag}</a>`).join('')}</nav>
<main>${groups.join('')}
<h2 id="Errors">Errors</h2><p>Every error is <code>application/problem+json</code> (RFC 9457) with one of these codes.</p>
<dl>${errors.join('')}</dl></main><script>${SCRIPT}</script></body></html>`;
  return { html, styleSource: source(STYLE), scriptSource: source(SCRIPT) };
}

function section({
  path,
  method,
  operation,
}: {
  path: string;
  method: string;
  operation: OpenApiOperation;
}): string {
  const parameters = (operation.parameters ?? []).map(
    ({ name, in: place, description }) =>
      `<dt>${escape(name)} <small>${place}</small></dt><dd>${marked(description)}</dd>`,
  );
  const responses = Object.entries(operation.responses).map(
    ([status, response]) =>
      `<dt>${status}</dt><dd>${marked(response.description).replaceAll('\n', '<br>')}</dd>`,
  );
  const url = `http://localhost:8080${path.replace('{id}', '018f4f6e-0000-7000-8000-000000000000')}`;
  const curls = operation['x-curl'].map((options) => {
    const line = ['curl', options, url].filter(Boolean).join(' ');
    return `<div class="curl"><pre><code>${escape(line)}</code></pre><button type="button" class="copy">Copy</button></div>`;
  });
  return `<section id="${operation.operationId}"><h3><b>${method}</b> ${escape(path)}</h3>
<p>${marked(operation.summary)}</p>${operation.description ? `<p>${marked(operation.description)}</p>` : ''}
${curls.join('')}${fieldsOf(operation)}<dl>${parameters.join('')}</dl><dl>${responses.join('')}</dl></section>`;
}

function fieldsOf({ requestBody }: OpenApiOperation): string {
  return requestBody ? '<p>Body: JSON, see <a href="/openapi.json">the schema</a>.</p>' : '';
}

function source(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** Descriptions use backticks and nothing else of Markdown. */
function marked(text: string): string {
  return escape(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

function escape(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (char) => entities[char]!);
}
