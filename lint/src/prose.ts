import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { type Block, type Clause, clausesOf } from './clauses';
import { proseOfCode } from './code';
import { proseOfMarkdown } from './markdown';

const ROOT = resolve(__dirname, '../..');
const SKIPPED = new Set(['node_modules', 'dist', '.tps', '.git', 'coverage']);

/**
 * The largest share of clauses, in percent, that may open with an inverted noun clause. Well-kept projects measure 0 to
 * 0.4. Lower a limit when prose has been rewritten; never raise one.
 */
const LIMITS_PERCENT = { comments: 1.5, messages: 1.5, docs: 1.5 };

type Kind = keyof typeof LIMITS_PERCENT;
type Located = Clause & { file: string };

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

function read(paths: readonly string[]): Record<Kind, Located[]> {
  const found: Record<Kind, Located[]> = { comments: [], messages: [], docs: [] };
  for (const path of paths) {
    const file = relative(process.cwd(), path);
    const add = (kind: Kind, blocks: readonly Block[]): void => {
      for (const clause of blocks.flatMap(clausesOf)) found[kind].push({ ...clause, file });
    };
    if (path.endsWith('.md')) add('docs', proseOfMarkdown(readFileSync(path, 'utf8')));
    if (!/\.[cm]?ts$/.test(path)) continue;
    const { comments, messages } = proseOfCode(readFileSync(path, 'utf8'));
    add('comments', comments);
    add('messages', messages);
  }
  return found;
}

/** Prints the inverted clauses, and returns whether every kind is within its limit. */
function check(folders: readonly string[]): boolean {
  const found = read(folders.flatMap(filesBelow));
  const kinds = Object.keys(LIMITS_PERCENT) as Kind[];
  const summaries = kinds.map((kind) => {
    const inverted = found[kind].filter((clause) => clause.inverted);
    for (const { file, line, text } of inverted) console.log(`${file}:${line}: ${text}`);
    const percent = (100 * inverted.length) / Math.max(1, found[kind].length);
    const limit = LIMITS_PERCENT[kind];
    const figures = `${inverted.length} of ${found[kind].length} clauses, ${percent.toFixed(2)} %`;
    return { passed: percent <= limit, text: `${kind}: ${figures} (at most ${limit} %)` };
  });
  for (const { text } of summaries) console.log(text);
  return summaries.every(({ passed }) => passed);
}

const folders = process.argv.slice(2);
if (!check(folders.length > 0 ? folders : [ROOT])) {
  console.error('Too many clauses open with "who", "what", "of" and the like: name the subject first.');
  process.exitCode = 1;
}
