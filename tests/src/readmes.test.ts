import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const HEAD = '| file | its one job |\n|---|---|\n';
const inGroup = (group: string): string[] => readdirSync(join(ROOT, group)).map((name) => `${group}/${name}`);
/** Every package whose sources a newcomer may want to read. */
const PACKAGES = [
  'bench',
  'deploy/local',
  'deploy/render',
  'lint',
  'tests',
  ...inGroup('libs'),
  ...inGroup('services'),
];

interface Row {
  /** Relative to `src/`, or to the package for what is not in it. A name that ends in `/` covers the whole folder. */
  files: string[];
  job: string;
}

function rowsOf(readme: string): Row[] {
  const start = readme.indexOf(HEAD);
  if (start < 0) throw new Error(`has no table that begins with\n${HEAD}`);
  const [table = ''] = readme.slice(start + HEAD.length).split('\n\n');
  return [...table.matchAll(/^\| (.+?) \| (.+) \|$/gm)].map(([, names = '', job = '']) => ({
    files: [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name!),
    job,
  }));
}

function sources(folder: string): string[] {
  const all = readdirSync(join(ROOT, folder, 'src'), { recursive: true, encoding: 'utf8' });
  return all.filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts')).sort();
}

const covers = (file: string) => (name: string) =>
  name === file || (name.endsWith('/') && file.startsWith(name));

/** To begin with: the first sentence about the export that the file is named after, or about its first class or function. */
function jobOf(path: string): string {
  const pattern = /\/\*\*((?:(?!\*\/)[^])*)\*\/\nexport (?:async )?(class|function|\w+) (\w+)/g;
  const found = [...readFileSync(path, 'utf8').matchAll(pattern)].map(([, comment, kind, name]) => ({
    comment: comment!,
    kind: kind!,
    file: name!.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase(),
  }));
  const main =
    found.find(({ file }) => file === basename(path, '.ts')) ??
    found.find(({ kind }) => kind === 'class' || kind === 'function') ??
    found[0];
  const comment = main?.comment ?? '';
  const text = comment
    .replace(/^\s*\* ?/gm, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const sentence = (/^.*?[.:](?= |$)/.exec(text)?.[0] ?? text).replace(/[.:]$/, '').replaceAll('|', '\\|');
  return sentence.charAt(0).toLowerCase() + sentence.slice(1) || '...';
}

/** The table without rows for files that are gone, and with a row for each new file. */
function updated(folder: string, readme: string): string {
  const files = sources(folder);
  const isThere = (name: string): boolean =>
    files.some((file) => covers(file)(name)) || existsSync(join(ROOT, folder, name));
  const kept = rowsOf(readme)
    .map((row) => ({ ...row, files: row.files.filter(isThere) }))
    .filter((row) => row.files.length > 0);
  for (const file of files.filter((one) => !kept.some((row) => row.files.some(covers(one))))) {
    const after = kept.findIndex((row) => row.files[0]! > file);
    const row = { files: [file], job: jobOf(join(ROOT, folder, 'src', file)) };
    kept.splice(after < 0 ? kept.length : after, 0, row);
  }
  const lines = kept.map(
    ({ files: names, job }) => `| ${names.map((name) => `\`${name}\``).join(', ')} | ${job} |`,
  );
  const start = readme.indexOf(HEAD) + HEAD.length;
  const end = readme.indexOf('\n\n', start);
  return readme.slice(0, start) + lines.join('\n') + (end < 0 ? '\n' : readme.slice(end));
}

/** Does the README of a package name each of its files, and no other? UPDATE_DOCS=1 adds and removes rows. */
describe.each(PACKAGES)('%s/README.md', (folder) => {
  const path = join(ROOT, folder, 'README.md');
  const readme = readFileSync(path, 'utf8');

  test('has one row for each source file', () => {
    const wanted = updated(folder, readme);
    if (process.env.UPDATE_DOCS) writeFileSync(path, wanted);
    else expect(readme).toBe(wanted);
  });

  test('names no file twice', () => {
    const names = rowsOf(readme).flatMap(({ files }) => files);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });
});
