import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError } from './config';
import { listen } from './listen';

let server: Server;
beforeEach(() => void (server = createServer()));
afterEach(() => new Promise((resolve) => server.close(resolve)));

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['0.0.0.0', '0.0.0.0'],
])('TPS_BIND=%s listens on %s only', async (TPS_BIND, address) => {
  await listen(server, 0, { TPS_BIND });
  expect((server.address() as AddressInfo).address).toBe(address);
});

test('an empty TPS_BIND listens on every address', async () => {
  await listen(server, 0, { TPS_BIND: '' });
  expect(['::', '0.0.0.0']).toContain((server.address() as AddressInfo).address);
});

test('an address of another machine is a configuration error', async () => {
  const opened = listen(server, 0, { TPS_BIND: '192.0.2.1' });
  await expect(opened).rejects.toThrow(ConfigError);
  await expect(opened).rejects.toThrow(
    'TPS_BIND=192.0.2.1 is not allowed: must be an address of this machine (EADDRNOTAVAIL)',
  );
});
