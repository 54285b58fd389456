import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { waitFor } from '@tps/testkit';
import { Fleet } from './fleet';

const ROOT = resolve(__dirname, '../..');

/** Do the commands of the original guide work here as docs/differences.md says? */
describe("the guide's commands", () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start();
  }, 90_000);
  afterAll(() => fleet?.stop(), 60_000);

  const make = (target: string): { status: number | null; output: string } => {
    const { status, stdout, stderr } = spawnSync('make', ['-s', target], {
      cwd: ROOT,
      env: { ...fleet.environment, TPS_RUNTIME: 'local' },
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { status, output: stdout + stderr };
  };
  const shell = (command: string): string => {
    const here = command.replaceAll('http://localhost:8080', fleet.url);
    return spawnSync('sh', ['-c', here], { encoding: 'utf8', timeout: 30_000 }).stdout;
  };

  test('every make target of the guide is in the table of differences', () => {
    const table = readFileSync(resolve(ROOT, 'docs/differences.md'), 'utf8');
    const targets = readFileSync(resolve(ROOT, 'Makefile'), 'utf8').matchAll(/^([a-z-]+):.*##/gm);
    const missing = [...targets].map(([, name]) => name!).filter((name) => !table.includes(name));
    expect(missing.filter((name) => !['help', 'test', 'lint', 'format'].includes(name))).toEqual([]);
  });

  test('make help lists the commands', () => {
    expect(make('help').output).toMatch(/make up .*\n.*make down/);
  });

  test('make up, twice', () => {
    expect(make('up')).toMatchObject({ status: 0 });
  });

  test('make health', () => {
    const { status, output } = make('health');
    expect(output).toMatch(/TPS System: ✓ UP/);
    expect(output).toMatch(/NATS: ✓ UP/);
    expect(status).toBe(0);
  });

  test.each(['status', 'info', 'metrics'])('make %s prints JSON', (target) => {
    const { status, output } = make(target);
    expect(status).toBe(0);
    expect(() => JSON.parse(output) as unknown).not.toThrow();
  });

  test('make logs-rabbitmq without a RabbitMQ says so, which is no failure', () => {
    expect(make('logs-rabbitmq')).toMatchObject({
      status: 0,
      output: expect.stringMatching(/^This fleet runs no RabbitMQ/) as string,
    });
  });

  test.each([
    ['dashboard', /\/metrics/],
    ['traces', /JAEGER_ENDPOINT/],
  ])('make %s says where to look', (target, where) => {
    expect(make(target).output).toMatch(where);
  });

  test.each(['logs', 'logs-system', 'logs-nats', 'profile'])('make %s shows and follows', async (target) => {
    const child = spawn('make', ['-s', target], {
      cwd: ROOT,
      env: { ...fleet.environment, TPS_RUNTIME: 'local' },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const gone = new Promise((done) => child.once('exit', done));
    try {
      await waitFor(`${target} to print something`, () => output.length > 0);
      expect(child.exitCode).toBe(null);
    } finally {
      process.kill(-child.pid!, 'SIGKILL');
      await gone;
    }
  });

  test.each([
    [
      `-H "Content-Type: application/json" -d '{"signal_type":"execute","payload":{"task":"demo"}}'`,
      'succeeded',
    ],
    [
      `-H "Content-Type: application/json" -d '{"signal_type":"validate","priority":2,"payload":{"data": [1, 2, 3]},"timeout_ms":30000}'`,
      'succeeded',
    ],
    [`-d '{"signal_type":"validate","payload":{}}'`, 'rejected'],
    [`-d '{"signal_type":"validate","payload":{"index":7}}'`, 'rejected'],
    [`-d '{"signal_type":"execute","payload":{"external_id":"123"}}'`, 'succeeded'],
    [`-d '{"signal_type":"report","payload":{}}'`, 'succeeded'],
  ])('curl -X POST /signal %s', (options, status) => {
    const answer = JSON.parse(shell(`curl -s -X POST http://localhost:8080/signal ${options}`)) as object;
    expect(answer).toMatchObject({ status });
  });

  test.each([
    ['health', { healthy: true, circuit_state: 'Closed', active_workers: 4 }],
    ['status', { status: 'running', health: { healthy: true } }],
    ['info', { name: 'TPS Reference System', version: '1.0.0', config: { num_workers: 4 } }],
    ['metrics', { error_count: 0, error_rate: 0 }],
  ])('curl /%s', (path, shape) => {
    expect(JSON.parse(shell(`curl -s http://localhost:8080/${path}`))).toMatchObject(shape);
  });

  const examples = readFileSync(resolve(ROOT, 'docs/producers.md'), 'utf8').matchAll(/```bash\n(.*?)```/gs);
  test.each([...examples].map(([, example]) => [example!]))(
    'the example for senders: %s',
    async (example) => {
      const folder = await mkdtemp(join(tmpdir(), 'tps-example-'));
      const here = example.replaceAll('http://localhost:8080', fleet.url);
      const { status, stderr } = spawnSync('bash', ['-ec', here], {
        cwd: folder,
        encoding: 'utf8',
        timeout: 30_000,
      });
      await rm(folder, { recursive: true });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    },
  );

  test('curl / is a page', () => {
    expect(shell('curl -s http://localhost:8080/')).toMatch(/^<!doctype html>/i);
  });

  test('make restart, make down, make clean', () => {
    expect(make('restart').status).toBe(0);
    expect(make('down').status).toBe(0);
    expect(make('clean').status).toBe(0);
    expect(make('health').status).not.toBe(0);
  }, 90_000);
});
