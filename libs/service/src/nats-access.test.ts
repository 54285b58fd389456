import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PlacementError } from '@tps/bus';
import { ConfigError, loadConfig } from './config';
import { natsAccess, placedBy } from './nats-access';

const folder = mkdtempSync(join(tmpdir(), 'tps-nats-'));
const pem = join(folder, 'a.pem');
writeFileSync(pem, 'pem');
afterAll(() => rmSync(folder, { recursive: true }));

const access = (env: Record<string, string>): ReturnType<typeof natsAccess> =>
  natsAccess('kanban', loadConfig({}, { NATS_URL: 'nats://a:1', ...env }));

test.each([
  ['nothing', {}, {}],
  ['a password alone', { NATS_PASSWORD: 'p' }, { user: 'kanban', password: 'p' }],
  ['user and password', { NATS_USER: 'u', NATS_PASSWORD: 'p' }, { user: 'u', password: 'p' }],
  ['credentials', { NATS_CREDS: 'jwt' }, { creds: 'jwt' }],
  ['an nkey', { NATS_NKEY: 'SUABC' }, { nkey: 'SUABC' }],
  ['a CA', { NATS_CA_FILE: pem }, { tls: { caFile: pem } }],
  [
    'a client certificate',
    { NATS_CERT_FILE: pem, NATS_KEY_FILE: pem },
    { tls: { certFile: pem, keyFile: pem } },
  ],
])('%s in the variables', (_, env, expected) => {
  expect(access(env)).toEqual({ url: 'nats://a:1', access: expected });
});

test.each([
  [{ NATS_PASSWORD: 'p', NATS_CREDS: 'jwt' }, 'NATS_PASSWORD and NATS_CREDS are both set: set one of them'],
  [{ NATS_USER: 'u' }, 'NATS_USER=u is not allowed: must come with NATS_PASSWORD'],
  [{ NATS_CERT_FILE: pem }, 'NATS_KEY_FILE= is not allowed: must be a file while NATS_CERT_FILE is set'],
  [{ NATS_KEY_FILE: pem }, 'NATS_CERT_FILE= is not allowed: must be a file while NATS_KEY_FILE is set'],
  [{ NATS_CA_FILE: join(folder, 'none') }, 'must be a readable file (ENOENT)'],
])('%j is a configuration error', (env, message) => {
  expect(() => access(env)).toThrow(ConfigError);
  expect(() => access(env)).toThrow(message);
});

describe('a start that creates streams', () => {
  const config = loadConfig({}, { TPS_NATS_REPLICAS: '3' });
  const start = (error: Error): Promise<unknown> => placedBy(config, Promise.reject(error));

  test('returns its result', async () => {
    expect(await placedBy(config, Promise.resolve(7))).toBe(7);
  });

  test.each([
    [true, 'TPS_NATS_REPLICAS=3 is not allowed: must be 1, because NATS is a single server'],
    [false, 'TPS_NATS_REPLICAS=3 is not allowed: must be at most the number of servers'],
  ])('turns too few servers into a configuration error (single server: %s)', async (single, message) => {
    const starting = start(new PlacementError(3, single, new Error('insufficient resources')));
    await expect(starting).rejects.toThrow(ConfigError);
    await expect(start(new PlacementError(3, single, new Error('insufficient resources')))).rejects.toThrow(
      message,
    );
  });

  test('passes on any other error', async () => {
    await expect(start(new TypeError('x'))).rejects.toThrow(TypeError);
  });
});
