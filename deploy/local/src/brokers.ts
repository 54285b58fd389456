import { delimiter, dirname, join } from 'node:path';
import { readNatsBind } from './bind';
import { LocalRuntimeError } from './errors';
import { readPort } from './numbers';
import type { External, MachineFacts, ProcessSpec } from './plan';
import type { Env, Settings } from './settings';

/** The processes and settings for a broker, started here or running elsewhere. */
export interface BrokerPlan {
  readonly processes: readonly ProcessSpec[];
  readonly externals: readonly External[];
  readonly env: Env;
}

/** The address of a broker. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Whether the user set the address; a broker that already answers there is then used. */
  readonly explicit: boolean;
  readonly local: boolean;
  readonly url: URL;
}

const NOTHING: BrokerPlan = { processes: [], externals: [], env: {} };
const LOOPBACK = '127.0.0.1';

export function natsTarget(env: Env): Target {
  return targetOf(env, 'NATS_URL', `nats://${LOOPBACK}:4222`);
}

export function rabbitTarget(env: Env): Target {
  return targetOf(env, 'RABBITMQ_URL', `amqp://guest:guest@${LOOPBACK}:5672`);
}

/** Whether TPS_RABBITMQ forbids a RabbitMQ here. A RABBITMQ_URL still reaches the services. */
export function rabbitIsOff(env: Env): boolean {
  const value = env['TPS_RABBITMQ'] || 'auto';
  if (value === 'auto' || value === 'off') return value === 'off';
  throw new LocalRuntimeError(
    `TPS_RABBITMQ is "${value}": it must be "auto" (run RabbitMQ where it is installed) or "off".`,
  );
}

export function planNats(settings: Settings, facts: MachineFacts): BrokerPlan {
  const target = natsTarget(settings.env);
  const isElsewhere = target.explicit && (!target.local || facts.natsAnswers);
  if (isElsewhere) return external('nats', target);
  if (facts.natsServer === undefined) {
    throw new LocalRuntimeError(
      'nats-server is not installed: install it (Debian: apt-get install nats-server, ' +
        'macOS: brew install nats-server), or set NATS_URL to a server that runs elsewhere.',
    );
  }
  const monitor = readPort(settings.env, 'TPS_NATS_MONITOR_PORT', 8222);
  const bind = readNatsBind(settings.env);
  const spec = natsSpec(settings, { command: facts.natsServer, port: target.port, monitor, bind });
  return { processes: [spec], externals: [], env: envFor(target, 'NATS_URL') };
}

export function planRabbit(settings: Settings, facts: MachineFacts): BrokerPlan {
  if (rabbitIsOff(settings.env)) return NOTHING;
  const target = rabbitTarget(settings.env);
  const isElsewhere = target.explicit && (!target.local || facts.rabbitAnswers);
  if (isElsewhere) return external('rabbitmq', target);
  // RabbitMQ is the backup: without it the fleet runs all the same.
  if (facts.rabbitServer === undefined || facts.epmd === undefined) return NOTHING;
  const ports = rabbitPorts(target.port);
  return {
    processes: [
      epmdSpec(facts.epmd, ports.epmd),
      rabbitSpec(settings, { command: facts.rabbitServer, erlang: dirname(facts.epmd), target, ports }),
    ],
    externals: [],
    env: envFor(target, 'RABBITMQ_URL'),
  };
}

function external(service: 'nats' | 'rabbitmq', { host, port }: Target): BrokerPlan {
  const say = service === 'nats' ? 'nats' : 'amqp';
  return { ...NOTHING, externals: [{ service, ready: { kind: 'greeting', host, port, say } }] };
}

/** Keeps a URL that the user set. */
function envFor(target: Target, variable: string): Env {
  return target.explicit ? {} : { [variable]: target.url.href };
}

function targetOf(env: Env, variable: string, fallback: string): Target {
  const written = env[variable]?.trim() ?? '';
  // NATS_URL may list the servers of one cluster.
  const first = (written || fallback).split(',')[0] ?? fallback;
  const url = parseUrl(variable, first.includes('://') ? first : `nats://${first}`, fallback);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? Number(new URL(fallback).port) : Number(url.port);
  return {
    host,
    port,
    url,
    explicit: written !== '',
    local: host === 'localhost' || host.startsWith('127.'),
  };
}

function parseUrl(variable: string, text: string, example: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.hostname) return url;
  throw new LocalRuntimeError(`${variable} is not a URL: it must be like ${example}.`);
}

function natsSpec(
  { paths }: Settings,
  { command, port, monitor, bind }: { command: string; port: number; monitor: number; bind: string },
): ProcessSpec {
  const config = join(paths.run, 'nats.conf');
  const health = { kind: 'http', url: `http://${LOOPBACK}:${monitor}/healthz` } as const;
  return {
    name: 'nats-1',
    service: 'nats',
    command,
    args: ['-c', config],
    env: {},
    listens: [
      { port, variable: 'NATS_URL' },
      { port: monitor, variable: 'TPS_NATS_MONITOR_PORT' },
    ],
    files: [
      {
        path: config,
        text: [
          'server_name: tps-local',
          `listen: "${bind}:${port}"`,
          `http: "${bind}:${monitor}"`,
          `jetstream { store_dir: ${JSON.stringify(join(paths.data, 'nats'))} }`,
          '',
        ].join('\n'),
      },
    ],
    live: health,
    ready: health,
  };
}

/**
 * Erlang's name service. The runtime starts it, because RabbitMQ would start it as a daemon that outlives the broker, and
 * because two fleets side by side must not share one.
 */
function epmdSpec(command: string, port: number): ProcessSpec {
  const answers = { kind: 'greeting', host: LOOPBACK, port, say: 'epmd' } as const;
  return {
    name: 'epmd-1',
    service: 'epmd',
    command,
    args: ['-port', String(port), '-address', LOOPBACK],
    env: {},
    listens: [{ port, variable: 'RABBITMQ_URL' }],
    files: [],
    live: answers,
    ready: answers,
  };
}

/** Erlang's schedulers sleep at once instead of spinning, because the backup is idle most of the time. */
const BEAM_ARGS = '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none';

interface RabbitPorts {
  readonly amqp: number;
  readonly dist: number;
  readonly epmd: number;
}

/** RabbitMQ takes amqp + 20000 as its distribution port; for a high amqp port it is amqp - 20000. */
function rabbitPorts(amqp: number): RabbitPorts {
  const dist = amqp <= 45_000 ? amqp + 20_000 : amqp - 20_000;
  return { amqp, dist, epmd: dist + 1 };
}

function rabbitSpec(
  { paths, env }: Settings,
  { command, erlang, target, ports }: { command: string; erlang: string; target: Target; ports: RabbitPorts },
): ProcessSpec {
  const data = join(paths.data, 'rabbitmq');
  const config = join(paths.run, 'rabbitmq.conf');
  const empty = join(paths.run, 'rabbitmq-env.conf');
  const plugins = join(data, 'enabled_plugins');
  const answers = { kind: 'greeting', host: LOOPBACK, port: ports.amqp, say: 'amqp' } as const;
  return {
    name: 'rabbitmq-1',
    service: 'rabbitmq',
    command,
    args: [],
    env: {
      HOME: data, // for the Erlang cookie
      ERL_CRASH_DUMP_SECONDS: '0', // a dump would be written to the root of the checkout
      ERL_EPMD_PORT: String(ports.epmd),
      PATH: [erlang, env['PATH'] ?? ''].join(delimiter),
      RABBITMQ_CONFIG_FILE: config,
      RABBITMQ_CONF_ENV_FILE: empty,
      RABBITMQ_DIST_PORT: String(ports.dist),
      RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
      RABBITMQ_LOGS: '-',
      RABBITMQ_LOG_BASE: data,
      RABBITMQ_MNESIA_BASE: data,
      RABBITMQ_NODENAME: `tps-${ports.amqp}@localhost`,
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: BEAM_ARGS,
      // The start script then becomes the Erlang VM, so that signals reach the broker.
      RUNNING_UNDER_SYSTEMD: 'true',
    },
    listens: [
      { port: ports.amqp, variable: 'RABBITMQ_URL' },
      { port: ports.dist, variable: 'RABBITMQ_URL' },
    ],
    files: [
      { path: config, text: rabbitConfig(target) },
      { path: empty, text: '' },
      { path: plugins, text: '[].\n' },
    ],
    live: answers,
    ready: answers,
  };
}

function rabbitConfig({ port, url }: Target): string {
  return [
    `listeners.tcp.1 = ${LOOPBACK}:${port}`,
    `default_user = ${decodeURIComponent(url.username) || 'guest'}`,
    `default_pass = ${decodeURIComponent(url.password) || 'guest'}`,
    // The supervisor connects every second to probe the broker; those connections are not worth a line.
    'log.connection.level = none',
    '',
  ].join('\n');
}
