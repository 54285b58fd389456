import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

const ROOT = resolve(__dirname, '../..');

interface Manifest {
  name: string;
  dependencies?: Record<string, string>;
}
interface Component {
  name: string;
  version: string;
  licenses?: ({ expression: string } | { license: { id?: string; name?: string } })[];
}

/** Permissive: they ask for no more than their text. Another one is a decision, not an accident. */
const LICENCES = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'Unlicense',
  '(MIT AND Zlib)',
];

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
const members = ['libs', 'services'].flatMap((group) =>
  readdirSync(join(ROOT, group)).map((name) => join(ROOT, group, name)),
);

/** Packages that the built code of a member requires; types are gone from it by then. */
function required(folder: string): string[] {
  const files = readdirSync(join(folder, 'dist'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.js') && !/\.(test|fixture)\.js$|testing\//.test(file),
  );
  const found = files.flatMap((file) => {
    const text = readFileSync(join(folder, 'dist', file), 'utf8');
    return [...text.matchAll(/require\("([^".][^"]*)"\)/g)].map(([, path]) => path!);
  });
  const names = found.map((path) =>
    path
      .split('/')
      .slice(0, path.startsWith('@') ? 2 : 1)
      .join('/'),
  );
  return [...new Set(names)].filter((name) => !name.startsWith('node:') && !builtinModules.includes(name));
}

describe('the packages of the fleet', () => {
  test.each(members.map((folder) => [manifestOf(folder).name, folder]))(
    '%s declares what it requires, so that an image without tests and tools has it',
    (_, folder) => {
      const declared = Object.keys(manifestOf(folder).dependencies ?? {});
      expect(required(folder).filter((name) => !declared.includes(name))).toEqual([]);
    },
  );

  test('OpenTelemetry is there in one major of each package', () => {
    const { packages } = parse(readFileSync(join(ROOT, 'pnpm-lock.yaml'), 'utf8')) as { packages: object };
    const majors = new Map<string, Set<string>>();
    for (const key of Object.keys(packages)) {
      const [, name, major] = /^(@opentelemetry\/[\w-]+)@(0\.\d+|\d+)\./.exec(key) ?? [];
      if (name && major) majors.set(name, (majors.get(name) ?? new Set()).add(major));
    }
    expect(majors.size).toBeGreaterThan(5);
    expect([...majors].filter(([, found]) => found.size > 1)).toEqual([]);
  });

  test('no dependency runs a script on install, and nothing comes from outside the registry', () => {
    const text = readFileSync(join(ROOT, 'pnpm-workspace.yaml'), 'utf8');
    const { allowBuilds } = parse(text) as { allowBuilds: Record<string, boolean> };
    expect(Object.entries(allowBuilds).filter(([, allowed]) => allowed)).toEqual([]);
    expect(readFileSync(join(ROOT, 'pnpm-lock.yaml'), 'utf8')).not.toMatch(/tarball:|type: git|repo:/);
  });

  const pnpm = spawnSync('pnpm', ['--version']).status === 0;
  (pnpm ? test : test.skip)(
    `the licences of what runs are permissive${pnpm ? '' : ': skipped, no pnpm'}`,
    () => {
      const { stdout, stderr } = spawnSync('pnpm', ['sbom', '--sbom-format', 'cyclonedx', '--prod'], {
        cwd: ROOT,
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
      });
      if (!stdout.startsWith('{')) throw new Error(stderr);
      const { components } = JSON.parse(stdout) as { components: Component[] };
      expect(components.length).toBeGreaterThan(50);
      const others = components
        .map(({ name, version, licenses = [] }) => ({
          name: `${name}@${version}`,
          licences: licenses.map((entry) =>
            'expression' in entry ? entry.expression : (entry.license.id ?? entry.license.name ?? ''),
          ),
        }))
        .filter(({ licences }) => licences.length === 0 || !licences.every((one) => LICENCES.includes(one)));
      expect(others).toEqual([]);
    },
  );
});
