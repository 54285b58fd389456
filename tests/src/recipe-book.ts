import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** A piece of code of a recipe, and where it goes. */
interface Step {
  file: string;
  /** `as a whole`, `at the end`, or `before` a line that begins with this text. */
  place: { kind: 'whole' } | { kind: 'end' } | { kind: 'before'; line: string };
  code: string;
}

/** One way of adding something, as docs/extending.md describes it. */
export interface Recipe {
  title: string;
  steps: Step[];
  /** Files that `make render` changes, as the recipe lists them. */
  rendered: string[];
}

const STEP = /^\*\*`([^`]+)`\*\*, (as a whole|at the end|before `([^`]+)`):\n\n```\w*\n([^]*?)^```$/gm;

/** Reads the recipes of a page: its sections, with the steps and the sentence on `make render` in each. */
export function recipesOf(page: string): Recipe[] {
  return page
    .split(/^## /m)
    .slice(1)
    .map((section) => ({
      title: section.slice(0, section.indexOf('\n')),
      steps: [...section.matchAll(STEP)].map(([, file, how, line, code]) => ({
        file: file!,
        place: placeOf(how!, line),
        code: code!,
      })),
      rendered: renderedOf(section),
    }));
}

function placeOf(how: string, line: string | undefined): Step['place'] {
  if (line !== undefined) return { kind: 'before', line };
  return { kind: how === 'at the end' ? 'end' : 'whole' };
}

function renderedOf(section: string): string[] {
  const [sentence = ''] = /`make render` adds it to[^]*?\.(?=\s)/.exec(section) ?? [];
  return [...sentence.matchAll(/`([\w./-]+)`/g)].map(([, file]) => file!);
}

/** Does by hand, in the tree at `root`, what a step says. */
export function apply(root: string, { file, place, code }: Step): void {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    path,
    place.kind === 'whole' ? code : inserted(readFileSync(path, 'utf8'), { file, place, code }),
  );
}

function inserted(text: string, { file, place, code }: Step): string {
  if (place.kind !== 'before') return text + code;
  const { line } = place;
  const lines = text.split('\n');
  const at = lines.findIndex((one) => one.startsWith(line) || one.trimStart().startsWith(line));
  if (at < 0) throw new Error(`${file} has no line that begins with ${line}`);
  return [...lines.slice(0, at), code.replace(/\n$/, ''), ...lines.slice(at)].join('\n');
}

const NOT_SOURCES = new Set(['.git', '.tps', 'dist', 'coverage']);

/** Copies the sources of a tree. Installed packages are those of the original. */
export function copyTree(from: string, to: string): void {
  cpSync(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => {
      const name = path.slice(path.lastIndexOf('/') + 1);
      return path === from || (!NOT_SOURCES.has(name) && path !== join(from, 'node_modules'));
    },
  });
  symlinkSync(join(from, 'node_modules'), join(to, 'node_modules'));
}

/** Files that are in one tree and not in the other, or differ; relative to both. A symbolic link is no file of its own. */
export function changedFiles(original: string, copy: string): string[] {
  const all = new Set([...filesBelow(original, original), ...filesBelow(copy, copy)]);
  const read = (path: string): string | null => (existsSync(path) ? readFileSync(path, 'utf8') : null);
  return [...all].filter((file) => read(join(original, file)) !== read(join(copy, file))).sort();
}

function filesBelow(folder: string, root: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (NOT_SOURCES.has(entry.name) || entry.name === 'node_modules' || entry.isSymbolicLink()) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path, root) : [relative(root, path)];
  });
}
