import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mapComposeHosts, readSettings } from './settings';

describe('mapComposeHosts', () => {
  it.each([
    ['NATS_URL', 'nats://nats:4222', 'nats://127.0.0.1:4222'],
    ['NATS_URL', 'nats:4222', '127.0.0.1:4222'],
    ['NATS_URL', 'nats://a:b@nats:4222,nats://nats:4223', 'nats://a:b@127.0.0.1:4222,nats://127.0.0.1:4223'],
    ['NATS_URL', 'nats://nats', 'nats://127.0.0.1'],
    ['NATS_URL', 'nats://nats.example.org:4222', 'nats://nats.example.org:4222'],
    ['RABBITMQ_URL', 'amqp://guest:guest@rabbitmq:5672/', 'amqp://guest:guest@127.0.0.1:5672/'],
    ['JAEGER_ENDPOINT', 'http://jaeger:14268/api/traces', 'http://127.0.0.1:14268/api/traces'],
    ['JAEGER_ENDPOINT', 'http://central-jaeger:14268/api/traces', 'http://central-jaeger:14268/api/traces'],
    // Not a URL: its error must show what the user wrote.
    ['JAEGER_ENDPOINT', 'jaeger', 'jaeger'],
    ['APP_NAME', 'nats', 'nats'],
  ])('%s=%s becomes %s', (name, value, expected) => {
    expect(mapComposeHosts({ [name]: value })).toEqual({ [name]: expected });
  });
});

describe('readSettings', () => {
  it('lets the environment override .env, which may contain comments', () => {
    const root = mkdtempSync(join(tmpdir(), 'tps-settings-'));
    writeFileSync(join(root, '.env'), 'TPS_CB_THRESHOLD=5        # failures\nNATS_URL=nats://nats:4222\n');
    const { env, fromFile } = readSettings({ TPS_ROOT: root, TPS_CB_THRESHOLD: '7' });
    rmSync(root, { recursive: true });
    expect(env).toMatchObject({ TPS_CB_THRESHOLD: '7', NATS_URL: 'nats://127.0.0.1:4222' });
    expect([...fromFile].sort()).toEqual(['NATS_URL', 'TPS_CB_THRESHOLD']);
  });

  it('keeps tools with the checkout and everything else in TPS_HOME', () => {
    const { paths } = readSettings({ TPS_ROOT: '/checkout', TPS_HOME: '/elsewhere' });
    expect(paths).toMatchObject({ data: '/elsewhere/data', tools: '/checkout/.tps/tools' });
  });

  it('refuses a relative TPS_HOME', () => {
    expect(() => readSettings({ TPS_HOME: 'here' })).toThrow(
      'TPS_HOME is "here": it must be an absolute path.',
    );
  });
});
