/* eslint-disable no-restricted-properties -- libs/service configures services; this is the bench's one place. */
import { join, resolve } from 'node:path';
import { readEnvFile } from '@tps/local/env-file';
import { BenchError } from './errors';

export const ROOT = resolve(__dirname, '../..');
export const ENV_FILE = join(ROOT, '.env');
/** The programs of other systems, with an install of their own. */
export const PEERS_FOLDER = join(ROOT, 'bench/peers');

export interface LoadSettings {
  httpPort: number;
  /** The first token of `[client:]token,...`; empty when the fleet requires none. */
  token: string;
}

/** Reads the address and token of the running fleet from the environment and from `.env`, like the local runtime. */
export function loadSettings(): LoadSettings {
  const env: NodeJS.ProcessEnv = { ...fromFile(), ...process.env };
  const httpPort = Number(env.HTTP_PORT || 8080);
  if (!Number.isInteger(httpPort) || httpPort < 1 || httpPort > 65_535) {
    throw new BenchError(`HTTP_PORT=${env.HTTP_PORT} is not allowed: must be a whole number from 1 to 65535`);
  }
  if (env.SSL_ENABLED === 'true')
    throw new BenchError('SSL_ENABLED=true is not supported: the load is sent over plain HTTP');
  return { httpPort, token: env.AUTH_TOKEN?.split(',')[0]?.split(':').at(-1)?.trim() ?? '' };
}

function fromFile(): Record<string, string> {
  try {
    return readEnvFile(ENV_FILE, process.env);
  } catch (error) {
    throw new BenchError((error as Error).message);
  }
}

/** The folder of the local runtime, for data, logs and state. */
export function runtimeHome(): string {
  return process.env.TPS_HOME || join(ROOT, '.tps');
}

/** The variables that programs need to start, without any that would configure a measured fleet. */
export function bareEnvironment(): Record<string, string> {
  const wanted = ['PATH', 'HOME', 'TMPDIR', 'LANG'];
  return Object.fromEntries(wanted.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}
