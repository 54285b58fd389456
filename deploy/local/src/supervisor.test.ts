/** Runs the commands as a user does, with real processes: small fake services and a real nats-server. */
import { type ExecFileException, execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformFileSync } from '@swc/core';
import { freePorts } from '@tps/testkit';
import { identify } from './processes';
import { readSettings } from './settings';
import { type FleetState, type FleetPart, lastState } from './state';
import { waitFor } from './wait';

jest.setTimeout(60_000);

const COMMAND_LIMIT_MS = 40_000;
const RESTART_LIMIT_MS = 5_000;
const STARTED = ['kanban', 'worker', 'gateway'];
const NOT_STARTED = ['JIDOKA', 'ANDON', 'KAIZEN', 'HEIJUNKA'];

/** A fake service with health endpoints. The instance in REFUSES exits as with a wrong configuration. */
const SERVICE = `
const { createServer } = require('node:http');
const { HTTP_PORT, METRICS_PORT, INSTANCE_ID, REFUSES, START_MS = '0', BLOCKED_MS, TPS_LIVENESS_FILE } = process.env;
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
if (BLOCKED_MS && INSTANCE_ID === 'worker-1') {
  const { Worker } = require('node:worker_threads');
  const touch = 'const t = setInterval(() => require("node:fs").writeFileSync(process.env.TPS_LIVENESS_FILE, ""), 300);'
    + 'setTimeout(() => clearInterval(t), Number(process.env.BLOCKED_MS))';
  setTimeout(() => {
    new Worker(touch, { eval: true }).once('online', () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
    });
  }, 1_000);
}
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

function part(name: string): FleetPart {
  const found = state().parts.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

const pidOf = (name: string): number => part(name).pid ?? 0;

/** Processes of the fleets of this test, by the root in their command lines. */
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

beforeAll(() => {
  mkdirSync(join(root, 'cli'));
  for (const file of readdirSync(__dirname).filter((name) => /^[a-z-]+\.ts$/.test(name))) {
    const { code } = transformFileSync(join(__dirname, file), {
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      module: { type: 'commonjs' },
    });
    writeFileSync(join(root, 'cli', file.replace(/\.ts$/, '.js')), code);
  }
  for (const service of STARTED) {
    mkdirSync(join(root, 'services', service, 'dist'), { recursive: true });
    writeFileSync(join(root, 'services', service, 'dist', 'main.js'), SERVICE);
  }
});

beforeEach(async () => {
  const [port = 0] = await freePorts(7);
  env = {
    TPS_ROOT: root,
    TPS_HOME: mkdtempSync(join(root, 'home-')),
    TPS_RABBITMQ: 'off',
    NATS_URL: `nats://127.0.0.1:${port}`,
    TPS_NATS_MONITOR_PORT: String(port + 1),
    HTTP_PORT: String(port + 2),
    METRICS_PORT: String(port + 3),
    TPS_METRICS_BASE_PORT: String(port + 4),
    ...Object.fromEntries(NOT_STARTED.map((name) => [`TPS_REPLICAS_${name}`, '0'])),
  };
});

afterEach(async () => {
  await run('down');
  expect(alive()).toEqual([]);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

it('up starts a fleet once and names changed variables; down stops it, and a second down finds none', async () => {
  expect(await run('up')).toMatchObject({
    code: 0,
    output: expect.stringContaining('The fleet is up.') as string,
  });
  expect(await run('health')).toMatchObject({ code: 0 });
  const before = pidOf('gateway-1');

  const again = await run('up', { TPS_KANBAN_BUFFER: '7' });
  expect(again.code).toBe(0);
  expect(again.output).toContain('is already running');
  expect(again.output).toContain('TPS_KANBAN_BUFFER differs: `make restart` applies it');
  expect(pidOf('gateway-1')).toBe(before);

  expect(await run('down')).toMatchObject({ code: 0 });
  expect(alive()).toEqual([]);
  expect(await run('health')).toMatchObject({ code: 1 });
  expect(await run('down')).toMatchObject({ code: 0, output: 'The fleet is not running.\n' });
});

it.each([
  ['service that dies', 'SIGKILL', 'kanban-1'],
  ['service that hangs', 'SIGSTOP', 'kanban-1'],
  ['broker that dies', 'SIGKILL', 'nats-1'],
] as const)('a %s is back within 5 s', async (_, signal, name) => {
  await run('up');
  const victim = pidOf(name);
  process.kill(victim, signal);
  const isBack = (): boolean => part(name).state === 'live' && pidOf(name) !== victim;
  expect(await waitFor(isBack, RESTART_LIMIT_MS)).toBe(true);
  expect(readFileSync(join(env['TPS_HOME'] ?? '', 'logs', 'supervisor.log'), 'utf8')).toContain(
    `${name} restarts`,
  );
});

it('a worker that touches its liveness file is blocked and does not hang, until it stops touching the file', async () => {
  const blockedMs = 8_000;
  await run('up', { BLOCKED_MS: String(blockedMs) });
  const first = pidOf('worker-1');
  const began = Date.now();
  const isReplaced = (): boolean => part('worker-1').state === 'live' && pidOf('worker-1') !== first;
  expect(await waitFor(isReplaced, blockedMs + 2 * RESTART_LIMIT_MS)).toBe(true);
  expect(Date.now() - began).toBeGreaterThan(blockedMs);
});

it('a port in use is named with its process and the variable to set, and nothing is started', async () => {
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

it('up shows the message of a service that refuses its configuration', async () => {
  const { code, output } = await run('up', { REFUSES: 'kanban-1' });
  expect(code).toBe(1);
  expect(output).toContain('TPS_KANBAN_BUFFER is "many"');
  expect(alive()).toEqual([]);
});

it('two concurrent up start one fleet', async () => {
  const both = await Promise.all([run('up'), run('up')]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  // nats, three services, one supervisor.
  expect(alive()).toHaveLength(5);
});

it.each(['up', 'down'])('%s cleans up after a killed supervisor', async (command) => {
  await run('up');
  process.kill(state().supervisor.pid, 'SIGKILL');
  const orphan = pidOf('kanban-1');
  expect(identify(orphan)).toBeDefined();
  expect(await run(command)).toMatchObject({ code: 0 });
  expect(identify(orphan)).toBeUndefined();
});

it('a starting fleet can be stopped', async () => {
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
