import { isAbsolute, join, resolve } from 'node:path';
import { readEnvFile } from './env-file';
import { LocalRuntimeError } from './errors';

export type Env = Readonly<Record<string, string>>;

/** The folders of the runtime. All but `tools` are under TPS_HOME. */
export interface Paths {
  readonly root: string;
  readonly home: string;
  readonly run: string;
  readonly data: string;
  readonly logs: string;
  readonly tools: string;
}

export interface Settings {
  readonly paths: Paths;
  /** The variables of `.env`, overridden by the environment, with compose host names mapped to loopback. */
  readonly env: Env;
  /** The variables that `.env` sets. They count as configuration under any name. */
  readonly fromFile: readonly string[];
}

const LOOPBACK = '127.0.0.1';

/** Variables whose values name hosts of the compose network. */
const COMPOSE_URLS = ['NATS_URL', 'RABBITMQ_URL', 'JAEGER_ENDPOINT'];

/** A compose host name in the place of a host, so not the `nats` of `nats://`. Only NATS_URL does without a scheme here. */
const COMPOSE_HOST = /(\/\/|@)(?:nats|rabbitmq|jaeger)(?=[:/,]|$)/g;
const COMPOSE_NATS = /(^|,)nats(?=[:,]|$)(?!:\/\/)/g;

/** Reads the environment and `.env`; the environment takes precedence. */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const root = absolute('TPS_ROOT', environment['TPS_ROOT']) ?? resolve(__dirname, '../../..');
  const file = readEnvFile(join(root, '.env'), environment);
  const env = mapComposeHosts({ ...file, ...defined(environment) });
  const home = absolute('TPS_HOME', env['TPS_HOME']) ?? join(root, '.tps');
  return { paths: pathsOf(root, home), env, fromFile: Object.keys(file) };
}

function pathsOf(root: string, home: string): Paths {
  return {
    root,
    home,
    run: join(home, 'run'),
    data: join(home, 'data'),
    logs: join(home, 'logs'),
    // bootstrap.sh fetches programs for the checkout, which may run several fleets.
    tools: join(root, '.tps', 'tools'),
  };
}

/** Lets the same URLs serve Docker Compose and this runtime: `nats://nats:4222` is a container there and loopback here. */
export function mapComposeHosts(env: Env): Env {
  const mapped: Record<string, string> = { ...env };
  for (const name of COMPOSE_URLS) {
    const value = mapped[name];
    if (value !== undefined) mapped[name] = value.replace(COMPOSE_HOST, `$1${LOOPBACK}`);
  }
  const nats = mapped['NATS_URL'];
  if (nats !== undefined) mapped['NATS_URL'] = nats.replace(COMPOSE_NATS, `$1${LOOPBACK}`);
  return mapped;
}

function defined(values: NodeJS.Dict<string>): Record<string, string> {
  const entries = Object.entries(values);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function absolute(name: string, value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined;
  if (!isAbsolute(value)) {
    throw new LocalRuntimeError(`${name} is "${value}": it must be an absolute path.`);
  }
  return value;
}
