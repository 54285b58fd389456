import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SERVICES } from '@tps/contracts';
import { variables } from './variables';

const ROOT = resolve(__dirname, '../..');
const EXIT_CONFIG = 78;

/** Is a wrong value one clear line, for every service, and do the profiles of the guide load as written? */
describe('configuration', () => {
  test.each(SERVICES)('%s ends with one line that names variable, value and what is allowed', (service) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [`services/${service}/dist/main.js`], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, TPS_NATS_REPLICAS: 'many' },
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect({ status, stdout }).toEqual({ status: EXIT_CONFIG, stdout: '' });
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(/TPS_NATS_REPLICAS=many is not allowed: must be a whole number from 1 to 5/);
  });

  test.each([
    ['gateway', { AUTH_ENABLED: 'true' }, 'AUTH_TOKEN= is not allowed: must be a token'],
    ['gateway', { SSL_ENABLED: 'true', SSL_KEY_PATH: '/no/such/file' }, 'SSL_CERT_PATH= is not allowed'],
    ['heijunka', { NATS_CA_FILE: '/no/such/file' }, 'NATS_CA_FILE=/no/such/file'],
  ])('%s says in one line, too, what %j lacks', (service, variables, line) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [`services/${service}/dist/main.js`], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, HTTP_PORT: '0', METRICS_PORT: '0', ...variables },
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect({ status, stdout }).toEqual({ status: EXIT_CONFIG, stdout: '' });
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining(line)]);
  });

  test.each([
    ['gateway', 'HTTP_PORT', '70000'],
    ['gateway', 'RATE_LIMIT', '-1'],
    ['jidoka', 'TPS_CB_THRESHOLD', '0'],
    ['jidoka', 'TPS_CB_TIMEOUT', 'soon'],
    ['kanban', 'TPS_KANBAN_BUFFER', '1.5'],
    ['worker', 'TPS_NUM_WORKERS', '0'],
    ['worker', 'TPS_CHAOS', 'yes'],
    ['worker', 'TPS_HTTP_ALLOWLIST', '*'],
    ['kaizen', 'TPS_OUTCOMES_MAX_AGE', '0'],
    ['worker', 'TPS_HTTP_ALLOWLIST', 'a:99999'],
    ['andon', 'JAEGER_ENDPOINT', 'jaeger:4318'],
    ['andon', 'JAEGER_ENDPOINT', 'jaeger'],
    ['worker', 'TPS_HTTP_ALLOWLIST', 'http://host'],
    ['worker', 'TPS_HTTP_ALLOWLIST', 'host:1:x'],
    ['gateway', 'TPS_TRACES_URL', 'jaeger:16686'],
    ['kaizen', 'TPS_BIND', 'localhost'],
    ['andon', 'TPS_ANDON_WEBHOOK_URL', 'hooks.example.com'],
    ['andon', 'TPS_ANDON_WEBHOOK_URL', 'https://hooks.example.com:port'],
    ['heijunka', 'TPS_TRACE_SAMPLE', '2'],
    ['heijunka', 'RUST_LOG', 'loud'],
    ['kanban', 'METRICS_PORT', 'off'],
    ['kanban', 'NATS_URL', 'nats'],
  ])('%s refuses %s=%s', (service, variable, value) => {
    const { status, stderr } = spawnSync(process.execPath, [`services/${service}/dist/main.js`], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, [variable]: value },
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect({ status, stderr }).toEqual({
      status: EXIT_CONFIG,
      stderr: expect.stringContaining(`${variable}=${value} is not allowed: must be `) as string,
    });
  });

  test('every text that is not free says in words what it may be', () => {
    const bound = [...variables()].filter(([, { rule }]) => rule.pattern ?? rule.format);
    expect(bound.filter(([, { rule }]) => !rule.form).map(([name]) => name)).toEqual([]);
  });

  test.each(['dev', 'staging', 'prod'])('.env.%s can be exported as the guide says', (profile) => {
    const lines = readFileSync(resolve(ROOT, `.env.${profile}`), 'utf8')
      .trim()
      .split('\n');
    expect(lines.filter((line) => !/^[A-Z_]+=\S*$/.test(line))).toEqual([]);
    const script = `export $(cat .env.${profile} | xargs) && echo "$TPS_NUM_WORKERS $TPS_KANBAN_BUFFER $RUST_LOG"`;
    const { stdout } = spawnSync('sh', ['-c', script], { cwd: ROOT, encoding: 'utf8' });
    expect(stdout).toMatch(/^\d+ \d+ (debug|info|warn)\n$/);
  });
});
