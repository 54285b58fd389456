import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { SERVICES } from '@tps/contracts';
import { freePort, NatsServer, waitFor } from '@tps/testkit';
import { Fleet } from './fleet';
import { apply, changedFiles, copyTree, type Recipe, recipesOf } from './recipe-book';

const ROOT = resolve(__dirname, '../..');
const PASSWORD = 'well-kept';
const BUILD_LIMIT_MS = 300_000;
const recipes = recipesOf(readFileSync(join(ROOT, 'docs/extending.md'), 'utf8'));
const execute = promisify(execFile);
const pnpm = spawnSync('pnpm', ['--version']).status === 0;

/** Without their programs these files stay as they are. */
const isWritten = (file: string): boolean => file !== 'k8s/fleet.yaml' && (pnpm || file !== 'pnpm-lock.yaml');

/** Places that a person edits: files, and the folder of a new service as one. */
const places = ({ steps }: Recipe): string[] => [
  ...new Set(steps.map(({ file }) => (file.startsWith('services/sample/') ? 'services/sample/' : file))),
];

describe('docs/extending.md', () => {
  test.each([
    ['A signal type', 1],
    ['A metric', 1],
    ['A variable', 1],
    ['A rule for a light', 1],
    ['An alert', 3],
    ['A service', 3],
  ])('%s: a person edits %i places', (title, count) => {
    expect(places(recipes.find((recipe) => recipe.title === title)!)).toHaveLength(count);
  });

  test.each(recipes)('$title: every file that `make render` changes exists', ({ rendered }) => {
    expect(rendered.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });
});

/** Do the recipes work, and change no file that they do not list? A copy of this tree follows all of them. */
describe('a tree that follows every recipe', () => {
  let tree: string;
  let nats: NatsServer;
  let fleet: Fleet;
  let own: ChildProcess;

  /** Runs a program in the copy; fails with what it printed. */
  const run = async (script: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<void> => {
    const options = { cwd: tree, env: { ...process.env, ...env }, maxBuffer: 16 * 1024 * 1024 };
    await execute(process.execPath, [join(tree, script), ...args], options).catch(
      (error: Error & { stdout: string; stderr: string }) => {
        throw new Error(`${script} ${args.join(' ')}\n${error.stdout}${error.stderr}`);
      },
    );
  };
  const tsc = (...projects: string[]): Promise<void> =>
    run('node_modules/typescript/bin/tsc', ['-b', ...projects]);
  const documents = (env: NodeJS.ProcessEnv): Promise<void> =>
    run(
      'node_modules/jest/bin/jest.js',
      [
        '--selectProjects',
        'fleet',
        '--testPathPatterns',
        'tests/src/(documents|compose|readmes|state)\\.test',
      ],
      env,
    );

  /** As `make render` does it, without its look at the registry. */
  const render = async (): Promise<void> => {
    if (pnpm) await execute('pnpm', ['install', '--offline', '--lockfile-only'], { cwd: tree });
    await tsc('deploy/render');
    await run('deploy/render/dist/render.js');
    await tsc();
    await documents({ UPDATE_DOCS: '1' });
  };

  beforeAll(async () => {
    tree = mkdtempSync(join(tmpdir(), 'tps-recipes-'));
    copyTree(ROOT, tree);
    for (const step of recipes.flatMap(({ steps }) => steps)) apply(tree, step);
    // The links that `pnpm install` makes; all services have those of the sample.
    cpSync(join(ROOT, 'services/jidoka/node_modules'), join(tree, 'services/sample/node_modules'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    await render();
  }, BUILD_LIMIT_MS);
  afterAll(async () => {
    own?.kill('SIGKILL');
    await fleet?.stop();
    await nats?.stop();
    rmSync(tree, { recursive: true, force: true });
  }, 60_000);

  test('has changed in the listed files alone', () => {
    const listed = recipes.flatMap(({ steps, rendered }) => [...steps.map(({ file }) => file), ...rendered]);
    expect(changedFiles(ROOT, tree)).toEqual([...new Set(listed.filter(isWritten))].sort());
  });

  test('agrees with its manifest and its documents, and is formatted', async () => {
    await run('deploy/render/dist/render.js', ['--check']);
    await documents({});
    const files = changedFiles(ROOT, tree).filter((file) => /\.(ts|json|ya?ml)$/.test(file));
    await run('node_modules/prettier/bin/prettier.cjs', ['--check', ...files]);
  }, 60_000);

  test('is told what a person forgot', async () => {
    const path = join(tree, 'deploy/nats/authorization.conf');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('user: sample', 'user: another'));
    await expect(run('deploy/render/dist/render.js', ['--check'])).rejects.toThrow(
      'deploy/nats/authorization.conf has no user sample',
    );
    writeFileSync(path, text);
  });

  test('has the variable and the rule in its documents', () => {
    const read = (file: string): string => readFileSync(join(tree, file), 'utf8');
    expect(read('README.md')).toMatch(/^\| `TPS_CB_SAMPLE` \| `20` \| .* \| jidoka \|$/m);
    expect(read('deploy/compose/base.yml')).toContain('      TPS_CB_SAMPLE:\n');
    expect(read('docs/runbook.md')).toContain('| `busy` | more than 1000 signals per second');
    expect(read('docs/state.md')).toMatch(/^\| `OUTCOMES` .*kanban, sample, worker/m);
  });

  describe('runs, each service with its own rights at NATS,', () => {
    beforeAll(async () => {
      const config = join(tree, 'nats.conf');
      writeFileSync(config, 'include "deploy/nats/authorization.conf"\n');
      const users = [...SERVICES, 'sample', 'sys'].map((user) => `TPS_NATS_${user.toUpperCase()}_PASSWORD`);
      nats = await NatsServer.start({
        config,
        env: Object.fromEntries(users.map((name) => [name, PASSWORD])),
      });
      const path = [process.env.PATH ?? '', join(ROOT, '.tps/tools/nats-server')].join(delimiter);
      fleet = await Fleet.start({ NATS_URL: nats.url, NATS_PASSWORD: PASSWORD, PATH: path }, tree);
      const env = { ...fleet.environment, METRICS_PORT: String(await freePort()), INSTANCE_ID: 'own-1' };
      own = spawn(process.execPath, [join(tree, 'examples/own-worker/dist/main.js')], {
        env,
        stdio: 'ignore',
      });
    }, 90_000);

    test('and serves the new type', async () => {
      const image = { width: 4_000, height: 3_000, largest: 200 };
      const done = await waitFor('the type to be known', async () => {
        const answer = await fleet.post('resize', image);
        return answer.status === 202 ? answer : null;
      });
      expect(done.body).toMatchObject({ status: 'succeeded', result: { width: 200, height: 150 } });
    });

    test('and shows the new service: its board, its light, its place in the documentation', async () => {
      await fleet.post('validate', { data: 1 });
      await waitFor('the outcome to be counted', async () => {
        const { body } = await fleet.get<{ counts: Record<string, number> }>('/sample');
        return (body.counts.succeeded ?? 0) > 0;
      });
      const json = { accept: 'application/json' };
      await waitFor('the light', async () => {
        const { body } = await fleet.get<{ stations: Record<string, { colour: string }> }>('/andon', json);
        return body.stations.sample?.colour === 'GREEN';
      });
      const { body } = await fleet.get<{ paths: Record<string, unknown> }>('/openapi.json');
      expect(Object.keys(body.paths)).toContain('/sample');
      expect(await fleet.run('health')).toContain('sample: ✓ UP (1 of 1 ready)');
    });

    test('and counts with the new metric', async () => {
      const base = Number(fleet.environment.TPS_METRICS_BASE_PORT);
      // kaizen is the fourth from the base port on.
      const text = await (await fetch(`http://127.0.0.1:${base + 3}/metrics`)).text();
      expect(text).toMatch(/^tps_signals_superseded_total\{[^}]*\} 0$/m);
    });

    test('and no service asks for more than it may', () => {
      expect(nats.output).toContain('Starting nats-server');
      expect(nats.output.split('\n').filter((line) => /Violation/.test(line))).toEqual([]);
    });
  });
});
