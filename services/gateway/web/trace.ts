import { make } from './elements.js';

let base = '';
/** Where people look at traces, if the fleet knows. */
export function setTraces(url: string): void {
  base = url.replace(/\/$/, '');
}

/** A link to the trace, or the id to copy. */
export function trace(id: string): HTMLElement {
  const short = `trace ${id.slice(0, 8)}…`;
  if (base)
    return make('a', {
      text: short,
      attributes: { href: `${base}/trace/${id}`, target: '_blank', rel: 'noopener' },
    });
  const made = make('button', {
    class: 'quiet',
    text: short,
    attributes: { type: 'button', title: `Copy ${id}` },
  });
  made.addEventListener('click', () => {
    navigator.clipboard.writeText(id).then(
      () => (made.textContent = 'trace id copied'),
      // Without the right to the clipboard it can be selected by hand.
      () => made.replaceWith(make('code', { text: id })),
    );
  });
  return made;
}
