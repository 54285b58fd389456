import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, waitFor } from '@tps/testkit';
import type { ServerProcess } from '../cpu';
import { BenchError } from '../errors';
import { bareEnvironment } from '../settings';
import type { Teardown } from '../teardown';
import { BrokerMissingError } from './program';

/**
 * The settings that https://docs.bullmq.io/guide/going-to-production advises: a log of all writes on the disk, synced
 * once a second, and no eviction. The log makes snapshots superfluous.
 */
const SETTINGS = [
  ...['--appendonly', 'yes', '--appendfsync', 'everysec'],
  ...['--maxmemory-policy', 'noeviction', '--save', ''],
];

/**
 * Starts a Redis with a store of its own on a free port of 127.0.0.1.
 * @throws BrokerMissingError if it is not installed
 */
export async function startRedis(
  teardown: Teardown,
): Promise<ServerProcess & { port: number; version: string }> {
  const version = installedVersion();
  const folder = await mkdtemp(join(tmpdir(), 'tps-redis-'));
  teardown.add(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const port = await freePort();
  const args = ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', folder, ...SETTINGS];
  const child = spawn('redis-server', args, { env: bareEnvironment(), stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  teardown.add(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  if (child.pid === undefined) throw new BenchError('redis-server did not start.');
  await waitFor(`Redis on port ${port}`, () => answers(port));
  return { name: 'redis', pid: child.pid, port, version };
}

function installedVersion(): string {
  try {
    const text = execFileSync('redis-server', ['--version'], { encoding: 'utf8', env: bareEnvironment() });
    return `Redis ${/v=(\S+)/.exec(text)?.[1] ?? '(unknown version)'}`;
  } catch {
    throw new BrokerMissingError('redis-server');
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.once('data', (data) => (socket.destroy(), done(data.toString().startsWith('+PONG'))));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}
