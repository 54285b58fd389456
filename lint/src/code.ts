import { parser } from 'typescript-eslint';
import type { Block } from './clauses';

interface Comment {
  type: 'Line' | 'Block';
  value: string;
  loc: { start: { line: number; column: number }; end: { line: number } };
}
interface Token {
  type: string;
  value: string;
  loc: { start: { line: number } };
}
interface Parsed {
  ast: { comments: Comment[]; tokens: Token[] };
}

/** The comments and the messages (descriptions, errors, log lines, test names) of a TypeScript file. */
export function proseOfCode(source: string): { comments: Block[]; messages: Block[] } {
  const { ast } = parser.parseForESLint(source) as unknown as Parsed;
  const comments = joined(ast.comments).flatMap(({ text, line }) => paragraphsOf(text, line));
  const messages = ast.tokens.flatMap(({ type, value, loc }) => {
    const text = value.slice(1, -1).replace(/\$$/, '…');
    return (type === 'String' || type === 'Template') && isSentence(text)
      ? [{ text, line: loc.start.line }]
      : [];
  });
  return { comments, messages };
}

/** Joins adjacent line comments into one text. */
function joined(comments: readonly Comment[]): Block[] {
  const blocks: (Block & { endLine: number; column: number })[] = [];
  for (const { type, value, loc } of comments) {
    const last = blocks.at(-1);
    const { line, column } = loc.start;
    if (type === 'Line' && last?.endLine === line - 1 && last.column === column) {
      last.text += `\n${value}`;
      last.endLine = line;
    } else {
      const text = type === 'Block' ? value.replace(/^[ \t]*\*+ ?/gm, '') : value;
      blocks.push({ text, line, column: type === 'Line' ? column : -1, endLine: loc.end.line });
    }
  }
  return blocks;
}

/** Splits a comment into paragraphs. A tag starts a paragraph, without its own name and that of its parameter. */
function paragraphsOf(text: string, firstLine: number): Block[] {
  const blocks: Block[] = [];
  let open = false;
  text.split('\n').forEach((raw, i) => {
    const tag = /^\s*@(param\s+\S+|throws|returns?|\w+)\s*/.exec(raw);
    const content = tag ? raw.slice(tag[0].length) : raw;
    if (content.trim() === '') return void (open = false);
    if (open && !tag) blocks[blocks.length - 1]!.text += `\n${content}`;
    else blocks.push({ text: content, line: firstLine + i });
    open = true;
  });
  return blocks;
}

/** Whether a string is at least three words. A path, a pattern or a piece of HTML is no sentence. */
function isSentence(text: string): boolean {
  return /^\p{L}[\p{L}\p{N}'’-]*[,:]?( \S+){2,}/u.test(text) && !/[<>{}]{2}|\n/.test(text);
}
