import type { Block } from './clauses';

/**
 * The paragraphs, list items and table cells of a Markdown page. Headings, code blocks and table heads are left out,
 * because "What happens while NATS is away" is a good heading.
 */
export function proseOfMarkdown(page: string): Block[] {
  const lines = page.split('\n');
  const blocks: Block[] = [];
  let fenced = false;
  let open = false;
  lines.forEach((raw, i) => {
    if (/^\s*(```|~~~)/.test(raw)) fenced = !fenced;
    else if (fenced) return;
    const text = plain(raw);
    const isProse = /\p{L}/u.test(text) && !/^\s*(#|```|~~~|<!--|!\[)/.test(raw);
    if (!isProse) return void (open = false);
    const line = i + 1;
    if (/^\s*\|/.test(raw)) {
      const isHead = /^\s*\|[\s:|-]+\|?\s*$/.test(lines[i + 1] ?? '');
      if (!isHead) for (const cell of text.split(/(?<!\\)\|/)) blocks.push({ text: cell, line });
      open = false;
    } else if (open && !/^\s*([-*+]|\d+\.)\s/.test(raw)) {
      blocks[blocks.length - 1]!.text += `\n${text}`;
    } else {
      blocks.push({ text: text.replace(/^\s*([-*+]|\d+\.)\s+/, ''), line });
      open = true;
    }
  });
  return blocks;
}

/** Removes emphasis and link targets, and turns inline code into one word. */
function plain(line: string): string {
  return line
    .replace(/`[^`]*`/g, (code) => code.replace(/\s+/g, '_').replace(/[.:;|]/g, '-'))
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\*\*|__/g, '')
    .replace(/(^|\W)[*_](\S[^*_]*)[*_](?=\W|$)/g, '$1$2');
}
