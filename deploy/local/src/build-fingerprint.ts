import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from './settings';
import type { BuildFingerprint } from './state';

/** The variables that the fleet reads. Others of a shell differ from window to window. */
const CONFIGURATION =
  /^(TPS_|NATS_|RABBITMQ_|HTTP_|METRICS_|JAEGER_|OTEL_|APP_|AUTH_|OPERATOR_|TRUSTED_|SSL_|LOG_LEVEL$|RUST_LOG$|RATE_LIMIT|INSTANCE_ID$|NODE_)/;

/** Variables that locate files and do not change how the fleet behaves. */
const NOT_CONFIGURATION = new Set(['TPS_ROOT', 'TPS_HOME', 'TPS_RUNTIME', 'NODE_PATH']);

/** Configuration and build of a fleet. */
export function fingerprintOf({ env, fromFile, paths }: Settings): BuildFingerprint {
  const names = Object.keys(env)
    .filter((name) => CONFIGURATION.test(name) || fromFile.includes(name))
    .filter((name) => !NOT_CONFIGURATION.has(name))
    .sort();
  return {
    env: Object.fromEntries(names.map((name) => [name, hash(env[name] ?? '')])),
    build: new Date(newestBuild(paths.root)).toISOString(),
  };
}

/** Lists the differences, one per line; empty when a restart would change nothing. */
export function differences(running: BuildFingerprint, now: BuildFingerprint): string[] {
  const names = [...new Set([...Object.keys(running.env), ...Object.keys(now.env)])].sort();
  const changed = names.filter((name) => running.env[name] !== now.env[name]);
  return [
    ...(changed.length > 0 ? [`${changed.join(', ')} differ${changed.length === 1 ? 's' : ''}`] : []),
    ...(running.build === now.build ? [] : ['the code was built again']),
  ];
}

function hash(value: string): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 16);
}

/** The time of the newest compiled file of all services and libraries, in milliseconds. */
function newestBuild(root: string): number {
  const outputs = ['services', 'libs'].flatMap((group) =>
    list(join(root, group)).map((member) => join(root, group, member, 'dist')),
  );
  const files = outputs.flatMap((folder) =>
    list(folder)
      .filter((file) => file.endsWith('.js'))
      .map((file) => join(folder, file)),
  );
  return Math.max(0, ...files.map((file) => statSync(file).mtimeMs));
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder, { encoding: 'utf8', recursive: folder.endsWith('dist') });
  } catch {
    return [];
  }
}
