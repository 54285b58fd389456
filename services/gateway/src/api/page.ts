import { API_ERRORS, FLEET } from '@tps/contracts';
import type { OpenApiDocument, OpenApiOperation } from './openapi';

interface Endpoint {
  path: string;
  method: string;
  operation: OpenApiOperation;
}

/** The fleet and its API as one page, made from the OpenAPI document; web/documentation.ts shows live state and sends forms. */
export function apiPage(document: OpenApiDocument): string {
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const tags = [...new Set(all.map(({ operation }) => operation.tags[0] ?? ''))];
  const groups = tags.map((tag) => {
    const endpoints = all.filter(({ operation }) => operation.tags[0] === tag);
    return `<h2 id="${escape(tag)}">${escape(tag)}</h2>${endpoints.map(endpointHtml).join('')}`;
  });
  const errors = Object.entries(API_ERRORS).map(
    ([code, { status, meaning }]) => `<dt id="${code}">${status} ${code}</dt><dd>${marked(meaning)}</dd>`,
  );
  const services = Object.entries(FLEET).map(
    ([name, { principle, does }]) => `<dt>${name}</dt><dd>${marked(`${principle}: ${does}`)}</dd>`,
  );
  const { title, version, description } = document.info;
  const token = document.security
    ? '<label for="token">Token <small>sent along as a bearer token; kept while the tab is open</small></label><input id="token" type="password" autocomplete="off">'
    : '';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escape(title)}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/assets/look.css"><link rel="stylesheet" href="/assets/api.css"><script type="module" src="/assets/documentation.js"></script></head><body>
<header><h1>${escape(title)} <small>${escape(version)}</small></h1>
<p>${escape(description)} You post <em>signals</em>, units of work; the fleet admits, queues, levels, processes and
reports them, and stops a line by itself where work goes wrong. Every accepted signal ends in exactly one recorded outcome.</p></header>
<div id="state" role="status">The live state is shown with scripts enabled; see <a href="/health">/health</a>.</div>
<nav aria-label="Sections">${['Services', ...tags, 'Errors'].map((tag) => `<a href="#${tag}">${tag}</a>`).join('')}<a href="/openapi.json">OpenAPI</a><a href="/andon">Board</a></nav>${token}
<main>${groups.join('')}
<h2 id="Services">Services</h2><dl>${services.join('')}</dl>
<h2 id="Errors">Errors</h2><p>Every error is <code>application/problem+json</code> (RFC 9457); its <code>type</code> leads to one of these codes.</p>
<dl>${errors.join('')}</dl></main></body></html>`;
}

function endpointHtml(endpoint: Endpoint): string {
  const { path, method, operation } = endpoint;
  const { operationId, summary, description, responses } = operation;
  const answers = Object.entries(responses).map(
    ([status, { description: meaning }]) =>
      `<dt>${status}</dt><dd>${marked(meaning).replaceAll('\n', '<br>')}</dd>`,
  );
  return `<details id="${operationId}"${operationId === 'postSignal' ? ' open' : ''}>
<summary><b>${method}</b> ${escape(path)} <span>${marked(summary)}</span></summary>
${description ? `<p>${marked(description)}</p>` : ''}${formHtml(endpoint)}
<h3>With curl</h3>${operation['x-curl'].map((options) => curlHtml(options, path)).join('')}
<h3>Answers</h3><dl>${answers.join('')}</dl></details>`;
}

/** Buttons do nothing without the script, which shows them. */
function formHtml({ path, method, operation }: Endpoint): string {
  const { operationId: id, requestBody, parameters = [] } = operation;
  const fields = parameters.map(({ name, in: place, required, description }) => {
    const field = `${id}-${name}`;
    const label = `<label for="${field}">${escape(name)} <small>${place}; ${marked(description)}</small></label>`;
    return `${label}<input id="${field}" name="${escape(name)}" data-in="${place}" autocomplete="off"${required ? ' required' : ''}>`;
  });
  const example = operation['x-curl'].map(bodyOf).find(Boolean) ?? '{}';
  const body = requestBody
    ? `<label for="${id}-body">Body <small>JSON; <a href="/openapi.json">schema</a></small></label><textarea id="${id}-body" data-in="body" spellcheck="false">${escape(JSON.stringify(JSON.parse(example), null, 2))}</textarea>`
    : '';
  return `<form data-method="${method}" data-path="${escape(path)}">${body}${fields.join('')}
<button type="submit" hidden>Send</button><div class="answer" aria-live="polite"></div></form>`;
}

function curlHtml(options: string, path: string): string {
  const url = `http://localhost:8080${path.replace('{id}', '018f4f6e-0000-7000-8000-000000000000')}`;
  const line = ['curl', options, url].filter(Boolean).join(' ');
  const body = bodyOf(options);
  const fill = body
    ? `<button type="button" class="fill" data-body="${escape(body)}" hidden>Fill in</button>`
    : '';
  return `<div class="curl"><pre><code>${escape(line)}</code></pre><button type="button" class="copy" hidden>Copy</button>${fill}</div>`;
}

/** The JSON that a curl line sends. */
function bodyOf(options: string): string | undefined {
  return /-d '(.*)'/.exec(options)?.[1];
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
