/** Real processes: the command line as a user runs it, small stand-in services, a real nats-server. */
import { type ExecFileException, execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformFileSync } from '@swc/core';
import { identify } from './processes';
import { isFree } from './ports';
import { readSettings } from './settings';
import { type FleetState, type Part, lastState } from './state';
import { waitFor } from './wait';

jest.setTimeout(60_000);

const COMMAND_LIMIT_MS = 40_000;
const RESTART_LIMIT_MS = 5_000;
const KEPT = ['kanban', 'worker', 'gateway'];
const LEFT_OUT = ['JIDOKA', 'ANDON', 'KAIZEN', 'HEIJUNKA'];

/** Keeps the health contract; REFUSES names the instance that dislikes its configuration. */
const SERVICE = `
const { createServer } = require('node:http');
const { HTTP_PORT, METRICS_PORT, INSTANCE_ID, REFUSES, START_MS = '0' } = process.env;
if (REFUSES === INSTANCE_ID) {
  console.error('TPS_KANBAN_BUFFER is "many": it must be a whole number.');
  process.exit(78);
}
setTimeout(() => {
  for (const port of [METRICS_PORT, INSTANCE_ID === 'gateway-1' && HTTP_PORT].filter(Boolean)) {
    createServer((request, response) => response.end('{}')).listen(port);
  }
}, Number(START_MS));
process.on('SIGTERM', () => process.exit(0));
`;

const root = mkdtempSync(join(tmpdir(), 'tps-local-'));
const cli = join(root, 'cli', 'cli.js');
let env: Record<string, string>;

interface Outcome {
  readonly code: number;
  readonly output: string;
}

function run(command: string, more: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env, ...more }, timeout: COMMAND_LIMIT_MS };
    const whenDone = (error: ExecFileException | null, stdout: string, stderr: string): void =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr });
    execFile(process.execPath, [cli, command], options, whenDone);
  });
}

function state(): FleetState {
  const found = lastState(readSettings(env).paths);
  if (found === undefined) throw new Error('there is no state file');
  return found;
}

function part(name: string): Part {
  const found = state().parts.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

const pidOf = (name: string): number => part(name).pid ?? 0;

/** Processes of this root's fleets: their command lines or directories name it. */
function alive(): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => identify(pid) !== undefined && commandOf(pid).includes(root));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

async function freeBlock(length: number): Promise<number> {
  for (;;) {
    // Below the range from which the kernel gives ports to outgoing connections.
    const first = 20_000 + Math.floor(Math.random() * 10_000);
    const ports = Array.from({ length }, (_, index) => first + index);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first;
  }
}

beforeAll(() => {
  mkdirSync(join(root, 'cli'));
  for (const file of readdirSync(__dirname).filter((name) => /^[a-z-]+\.ts$/.test(name))) {
    const { code } = transformFileSync(join(__dirname, file), {
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      module: { type: 'commonjs' },
    });
    writeFileSync(join(root, 'cli', file.replace(/\.ts$/, '.js')), code);
  }
  for (const service of KEPT) {
    mkdirSync(join(root, 'services', service, 'dist'), { recursive: true });
    writeFileSync(join(root, 'services', service, 'dist', 'main.js'), SERVICE);
  }
});

beforeEach(async () => {
  const port = await freeBlock(7);
  env = {
    TPS_ROOT: root,
    TPS_HOME: mkdtempSync(join(root, 'home-')),
    TPS_RABBITMQ: 'off',
    NATS_URL: `nats://127.0.0.1:${port}`,
    TPS_NATS_MONITOR_PORT: String(port + 1),
    HTTP_PORT: String(port + 2),
    METRICS_PORT: String(port + 3),
    TPS_METRICS_BASE_PORT: String(port + 4),
    ...Object.fromEntries(LEFT_OUT.map((name) => [`TPS_REPLICAS_${name}`, '0'])),
  };
});

afterEach(async () => {
  await run('down');
  expect(alive()).toEqual([]);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

it('starts, says so a second time, names what differs, stops, and has nothing left to stop', async () => {
  expect(await run('up')).toMatchObject({
    code: 0,
    output: expect.stringContaining('The fleet is up.') as string,
  });
  expect(await run('health')).toMatchObject({ code: 0 });
  const before = pidOf('gateway-1');

  const again = await run('up', { TPS_KANBAN_BUFFER: '7' });
  expect(again.code).toBe(0);
  expect(again.output).toContain('runs already');
  expect(again.output).toContain('TPS_KANBAN_BUFFER differs: `make restart` applies it');
  expect(pidOf('gateway-1')).toBe(before);

  expect(await run('down')).toMatchObject({ code: 0 });
  expect(alive()).toEqual([]);
  expect(await run('health')).toMatchObject({ code: 1 });
  expect(await run('down')).toMatchObject({ code: 0, output: 'The fleet is not running.\n' });
});

it.each([
  ['dies', 'SIGKILL', 'kanban-1'],
  ['hangs', 'SIGSTOP', 'kanban-1'],
  ['is a broker that dies', 'SIGKILL', 'nats-1'],
] as const)('brings back within 5 s what %s', async (_, signal, name) => {
  await run('up');
  const victim = pidOf(name);
  process.kill(victim, signal);
  const isBack = (): boolean => part(name).state === 'live' && pidOf(name) !== victim;
  expect(await waitFor(isBack, RESTART_LIMIT_MS)).toBe(true);
  expect(readFileSync(join(env['TPS_HOME'] ?? '', 'logs', 'supervisor.log'), 'utf8')).toContain(
    `${name} restarts`,
  );
});

it('names a port in use, who has it and what to set, and starts nothing', async () => {
  const squatter = createServer().listen(Number(env['HTTP_PORT']));
  try {
    const { code, output } = await run('up');
    expect(code).toBe(1);
    expect(output).toContain(
      `Port ${env['HTTP_PORT']}, which gateway-1 needs, is in use by process ${process.pid}`,
    );
    expect(output).toContain('HTTP_PORT=');
    expect(alive()).toEqual([]);
  } finally {
    squatter.close();
  }
});

it('ends with the words of a service that does not accept its configuration', async () => {
  const { code, output } = await run('up', { REFUSES: 'kanban-1' });
  expect(code).toBe(1);
  expect(output).toContain('TPS_KANBAN_BUFFER is "many"');
  expect(alive()).toEqual([]);
});

it('started twice at once is one fleet', async () => {
  const both = await Promise.all([run('up'), run('up')]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  // nats, three services, one supervisor.
  expect(alive()).toHaveLength(5);
});

it.each(['up', 'down'])('%s tidies up after a killed supervisor', async (command) => {
  await run('up');
  process.kill(state().supervisor.pid, 'SIGKILL');
  const orphan = pidOf('kanban-1');
  expect(identify(orphan)).toBeDefined();
  expect(await run(command)).toMatchObject({ code: 0 });
  expect(identify(orphan)).toBeUndefined();
});

it('can be stopped half-way through its start', async () => {
  const starting = run('up', { START_MS: '20000' });
  const hasBegun = (): boolean => {
    const found = lastState(readSettings(env).paths);
    return found?.parts.some(({ name, pid }) => name === 'gateway-1' && pid !== undefined) ?? false;
  };
  expect(await waitFor(hasBegun, 15_000)).toBe(true);
  expect(await run('down')).toMatchObject({ code: 0 });
  expect(await starting).toMatchObject({
    code: 1,
    output: expect.stringContaining('told to stop') as string,
  });
});
