/** Makes an element with text and children. The browser never reads the text as HTML. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  options: { class?: string; text?: string; attributes?: Record<string, string> } = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (options.class) made.className = options.class;
  if (options.text !== undefined) made.textContent = options.text;
  for (const [key, value] of Object.entries(options.attributes ?? {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The page and its script do not fit together. */
class MissingElementError extends Error {
  constructor(selector: string) {
    super(`the page has no ${selector}`);
  }
}

export function find<E extends HTMLElement = HTMLElement>(selector: string, root: ParentNode = document): E {
  const found = root.querySelector<E>(selector);
  if (!found) throw new MissingElementError(selector);
  return found;
}

/** Writes a text only if it is new, because a screen reader says every change of a live region. */
export function say(place: Element, text: string): void {
  if (place.textContent !== text) place.textContent = text;
}

/** Keeps one child for each key, in order, so that focus and selection survive an update. */
export function keep(place: HTMLElement, keys: string[], create: (key: string) => HTMLElement): void {
  const present = new Map([...place.children].map((child) => [(child as HTMLElement).dataset.key, child]));
  for (const [key, child] of present) if (key === undefined || !keys.includes(key)) child.remove();
  keys.forEach((key, i) => {
    const child = present.get(key) ?? create(key);
    (child as HTMLElement).dataset.key = key;
    if (place.children[i] !== child) place.insertBefore(child, place.children[i] ?? null);
  });
}

export function button(text: string, onClick: () => void, label?: string): HTMLButtonElement {
  const made = make('button', {
    text,
    attributes: { type: 'button', ...(label ? { 'aria-label': label } : {}) },
  });
  made.addEventListener('click', onClick);
  return made;
}

/** Shows as much of a text as fits, and all of it as the title. */
export function sayShort(place: HTMLElement, text: string): void {
  say(place, text);
  place.title = text;
}

/** Three colours with a shape and a word each: colour is never the only sign. */
const SHAPES: Record<string, string> = { GREEN: '●', YELLOW: '▲', RED: '■' };
export function shape(colour: string): string {
  return SHAPES[colour] ?? '?';
}
export function light(): HTMLElement {
  return make('b', { class: 'light' });
}
export function show(place: HTMLElement, colour: string): void {
  say(place, `${shape(colour)} ${colour}`);
  place.dataset.colour = colour;
}
