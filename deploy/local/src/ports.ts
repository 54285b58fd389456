import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { type ListenOptions, createServer } from 'node:net';
import { LocalRuntimeError } from './errors';
import type { Listen, ProcessSpec } from './plan';

/**
 * Checks the ports before anything is started, because a message here helps more than a stack trace in a log.
 * @throws LocalRuntimeError with a line for each port in use
 */
export async function assertPortsFree(specs: readonly ProcessSpec[]): Promise<void> {
  const listens = specs.flatMap(({ name, listens }) => listens.map((listen) => ({ name, ...listen })));
  const checked = await Promise.all(
    listens.map(async (listen) => ((await isFree(listen.port)) ? [] : [explain(listen)])),
  );
  const taken = checked.flat();
  if (taken.length > 0) throw new LocalRuntimeError(taken.join('\n'));
}

function explain({ name, port, variable }: Listen & { name: string }): string {
  const holder = holderOf(port);
  const advice =
    variable === 'NATS_URL'
      ? `set NATS_URL: to nats://127.0.0.1:${port} to use that server, or to another port to start one`
      : `set ${variable}, for example ${variable}=${example(variable, port)}`;
  return `Port ${port}, which ${name} needs, is in use${holder ? ` by ${holder}` : ''}. Stop it, or ${advice}.`;
}

function example(variable: string, port: number): string {
  return variable === 'RABBITMQ_URL' ? `amqp://guest:guest@127.0.0.1:${port + 1}` : String(port + 1);
}

/** Whether a port is free on loopback and on all addresses, since a service may bind either. */
async function isFree(port: number): Promise<boolean> {
  return (await canListen({ port, host: '127.0.0.1' })) && (await canListen({ port }));
}

function canListen(options: ListenOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ ...options, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** The process that listens on a port, if this user may know it; only on Linux. */
function holderOf(port: number): string | undefined {
  const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => listenersIn(table, port)));
  const pid = numericEntries('/proc').find((candidate) => holdsSocket(candidate, inodes));
  if (inodes.size === 0 || pid === undefined) return undefined;
  const command = readText(`/proc/${pid}/cmdline`).split('\0').join(' ').trim().slice(0, 120);
  return `process ${pid} (${command})`;
}

/** Inodes of listening sockets. The columns are sl, local address:port in hex, remote, state (0A listens), ..., inode. */
function listenersIn(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readText(table)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(suffix) && columns[3] === '0A')
    .flatMap((columns) => columns[9] ?? []);
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  return numericEntries(`/proc/${pid}/fd`).some((fd) => {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
      return inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '');
    } catch {
      return false; // closed meanwhile, or of another user
    }
  });
}

function numericEntries(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
