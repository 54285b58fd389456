import { make } from './elements.js';

let template = '';
/** Sets the address of traces, with `{trace_id}` in it; empty if the fleet has none. */
export function setTraces(url: string): void {
  template = url;
}

/** A link to the trace, or the id to copy. */
export function trace(id: string): HTMLElement {
  const short = `trace ${id.slice(0, 8)}…`;
  if (template)
    return make('a', {
      text: short,
      attributes: { href: template.replaceAll('{trace_id}', id), target: '_blank', rel: 'noopener' },
    });
  const made = make('button', {
    class: 'quiet',
    text: short,
    attributes: { type: 'button', title: `Copy ${id}` },
  });
  made.addEventListener('click', () => {
    const shown = (): void => {
      const code = make('code', { text: id, attributes: { tabindex: '-1' } });
      if (made.dataset.key) code.dataset.key = made.dataset.key;
      made.replaceWith(code);
      code.focus();
      getSelection()?.selectAllChildren(code);
    };
    // Browsers give no clipboard to pages on plain HTTP: then the whole id is shown, selected.
    const clipboard = navigator.clipboard as Clipboard | undefined;
    if (!clipboard) return shown();
    clipboard.writeText(id).then(() => (made.textContent = 'trace id copied'), shown);
  });
  return made;
}
