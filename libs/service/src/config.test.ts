import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { ConfigError, loadConfig, redactedConfig } from './config';
import { fleetVariables } from './fleet-variables';
import { collectorUrl } from '@tps/telemetry';

describe('loadConfig', () => {
  test('gives every variable its default, and freezes the result', () => {
    const config = loadConfig(fleetVariables, {});
    expect(config).toMatchObject({
      TPS_NUM_WORKERS: 4,
      TPS_KANBAN_BUFFER: 1000,
      LOG_LEVEL: 'info',
      METRICS_PORT: 9090,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('converts a text to the type of its variable; an empty text counts as unset', () => {
    const env = {
      TPS_NUM_WORKERS: '16',
      TPS_CB_TIMEOUT: '0.5',
      METRICS_PORT: 'disabled',
      TPS_KANBAN_BUFFER: '',
    };
    expect(loadConfig(fleetVariables, env)).toMatchObject({
      TPS_NUM_WORKERS: 16,
      TPS_CB_TIMEOUT: 0.5,
      METRICS_PORT: 'disabled',
      TPS_KANBAN_BUFFER: 1000,
    });
  });

  test.each([
    [{ RUST_LOG: 'debug' }, 'debug'],
    [{ RUST_LOG: 'trace' }, 'debug'],
    [{ RUST_LOG: 'tps=debug,warn' }, 'warn'],
    [{ RUST_LOG: 'off' }, 'error'],
    [{ RUST_LOG: 'debug', LOG_LEVEL: 'error' }, 'error'],
  ])('%j logs at %s', (env, level) => {
    expect(loadConfig({}, env).LOG_LEVEL).toBe(level);
  });

  test('the short names of the guide work, and the own name takes precedence', () => {
    expect(loadConfig(fleetVariables, { KANBAN_BUFFER: '50' }).TPS_KANBAN_BUFFER).toBe(50);
    expect(
      loadConfig(fleetVariables, { KANBAN_BUFFER: '50', TPS_KANBAN_BUFFER: '60' }).TPS_KANBAN_BUFFER,
    ).toBe(60);
    const history = { TPS_ANDON_HISTORY: Type.Integer({ default: 100 }) };
    expect(loadConfig(history, { ANDON_HISTORY: '50' }).TPS_ANDON_HISTORY).toBe(50);
  });

  test.each([
    [{ TPS_NUM_WORKERS: '0' }, 'TPS_NUM_WORKERS=0 is not allowed: must be a whole number from 1 to 512'],
    [{ KANBAN_BUFFER: 'big' }, 'KANBAN_BUFFER=big is not allowed: must be a whole number from 1 to 1000000'],
    [{ RUST_LOG: 'loud' }, 'RUST_LOG=loud is not allowed: must be `error` or `warn` or `info` or `debug`'],
    [
      { JAEGER_ENDPOINT: 'jaeger' },
      'JAEGER_ENDPOINT=jaeger is not allowed: must be a URL with `http://` or `https://`, for example http://jaeger:4318',
    ],
    [
      { TPS_BIND: 'localhost' },
      'TPS_BIND=localhost is not allowed: must be an IP address of this machine, or `0.0.0.0` or `::` for all of them, for example 127.0.0.1',
    ],
    [{ FLAG: 'maybe' }, 'FLAG=maybe is not allowed: must be `true` or `false`'],
  ])('%j is refused in one line', (env, line) => {
    const variables = { ...fleetVariables, FLAG: Type.Boolean({ default: false }) };
    expect(() => loadConfig(variables, env)).toThrow(new ConfigError(line));
  });
});

describe('a secret', () => {
  const variables = { API_TOKEN: Type.String({ default: '', secret: true, pattern: '^[a-z]*$' }) };
  const folder = mkdtempSync(join(tmpdir(), 'tps-secrets-'));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  afterAll(() => rmSync(folder, { recursive: true }));

  test('may come from a file, without the newline at its end', () => {
    expect(loadConfig(variables, { API_TOKEN_FILE: file('token', 'geheim\n') }).API_TOKEN).toBe('geheim');
    expect(loadConfig(variables, { API_TOKEN: 'geheim' }).API_TOKEN).toBe('geheim');
  });

  test('is never shown, whatever is wrong with it', () => {
    const missing = join(folder, 'missing');
    const bad = file('bad', 'GEHEIM');
    const lines: [Record<string, string>, string][] = [
      [
        { API_TOKEN_FILE: missing },
        `API_TOKEN_FILE=${missing} is not allowed: must be a readable file (ENOENT)`,
      ],
      [
        { API_TOKEN_FILE: folder },
        `API_TOKEN_FILE=${folder} is not allowed: must be a readable file (EISDIR)`,
      ],
      [
        { API_TOKEN_FILE: file('empty', '\n') },
        `API_TOKEN_FILE=${join(folder, 'empty')} is not allowed: the file is empty`,
      ],
      [{ API_TOKEN_FILE: bad, API_TOKEN: 'a' }, 'API_TOKEN and API_TOKEN_FILE are both set: set one of them'],
      [{ API_TOKEN_FILE: bad }, `API_TOKEN_FILE=${bad} is not allowed: must be text that matches ^[a-z]*$`],
      [{ API_TOKEN: 'GEHEIM' }, 'API_TOKEN=*** is not allowed: must be text that matches ^[a-z]*$'],
    ];
    for (const [env, line] of lines) expect(() => loadConfig(variables, env)).toThrow(new ConfigError(line));
    const comma = { NATS_URL: 'nats://me:ge,hei/m@a:1, nats://b' };
    expect(() => loadConfig({}, comma)).toThrow(/^NATS_URL=nats:\/\/\*\*\*@a:1, nats:\/\/b is not allowed/);
    const url = { NATS_URL: 'amqp://me:geheim@host' };
    expect(() => loadConfig({}, url)).toThrow(/^NATS_URL=amqp:\/\/\*\*\*@host is not allowed/);
  });

  test('is hidden when a configuration is shown; a URL hides only its credentials', () => {
    const config = loadConfig(variables, { API_TOKEN: 'geheim', NATS_URL: 'nats://u:p@a:1,nats://u:p@b:2' });
    expect(redactedConfig(variables, config)).toMatchObject({
      API_TOKEN: '***',
      NATS_URL: 'nats://***@a:1,nats://***@b:2',
      NATS_PASSWORD: '',
      LOG_LEVEL: 'info',
    });
  });

  test('is everything after the host, for the address of a webhook', () => {
    const hook = { HOOK_URL: Type.String({ default: '', secret: true, pattern: '^https' }) };
    const shown = (HOOK_URL: string): unknown =>
      redactedConfig(hook, loadConfig(hook, { HOOK_URL })).HOOK_URL;
    expect(shown('https://example.com/hook/ge@heim?x=1')).toBe('https://example.com/***');
    expect(shown('https://example.com:8443/')).toBe('https://example.com:8443');
    expect(() => loadConfig(hook, { HOOK_URL: 'http://me:geheim@example.com/x' })).toThrow(
      /^HOOK_URL=http:\/\/example\.com\/\*\*\* is not allowed/,
    );
  });
});

test.each([
  ['NATS_URL', 'nats://me:%zz@host'],
  ['NATS_URL', 'nats://host:99999'],
  ['JAEGER_ENDPOINT', 'http://host:port/v1/traces'],
])('%s=%s is refused although it looks like a URL', (name, url) => {
  expect(() => loadConfig({}, { [name]: url })).toThrow(
    /must be a URL with a host and sound escapes, for example \w+:\/\/[\w.]+:\d+$/,
  );
});

describe('tracing', () => {
  test.each([
    ['', undefined],
    ['http://jaeger:14268/api/traces', 'http://jaeger:4318/v1/traces'],
    ['http://central:4318', 'http://central:4318/v1/traces'],
    ['https://collector/custom/path', 'https://collector/custom/path'],
  ])('JAEGER_ENDPOINT=%s exports to %s', (endpoint, url) => {
    expect(collectorUrl(endpoint)).toBe(url);
  });
});
