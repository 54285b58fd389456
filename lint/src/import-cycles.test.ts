import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '../..');
const SKIPPED = new Set(['node_modules', 'dist', '.tps']);
const PACKAGES = ['bench', 'lint', 'tests', ...packagesIn('services'), ...packagesIn('libs')];
/** Packages with a cycle of types that their next change should undo. */
const WITH_CYCLES = new Set(['libs/contracts', 'libs/telemetry']);

function packagesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`);
}

function sourcesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourcesBelow(path);
    return path.endsWith('.ts') ? [path] : [];
  });
}

/** The files of the same package that a file imports, for types as well: a reader follows those just the same. */
function importsOf(path: string): string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(path, 'utf8'));
  return importedFiles
    .filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => join(dirname(path), fileName.replace(/\.js$/, '')))
    .flatMap((base) => [`${base}.ts`, join(base, 'index.ts')].filter(existsSync));
}

/** Finds one cycle through each file that closes one, by a depth-first walk. */
function cyclesIn(sources: string[], imports: (path: string) => string[] = importsOf): string[] {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0)
      cycles.push([...trail.slice(start), path].map((each) => relative(ROOT, each)).join(' -> '));
    if (start >= 0 || done.has(path)) return;
    for (const next of imports(path)) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of sources) visit(path, []);
  return cycles;
}

test('a cycle is found wherever the walk begins', () => {
  const graph: Record<string, string[]> = { a: ['b'], b: ['c'], c: ['b'], d: ['a'] };
  const cycles = cyclesIn(
    Object.keys(graph).map((name) => join(ROOT, name)),
    (path) => graph[relative(ROOT, path)]!.map((name) => join(ROOT, name)),
  );
  expect(cycles).toEqual(['b -> c -> b']);
});

test.each(PACKAGES.filter((name) => !WITH_CYCLES.has(name)))(
  'no file of %s imports itself by way of others',
  (name) => {
    expect(cyclesIn(sourcesBelow(join(ROOT, name)))).toEqual([]);
  },
);
