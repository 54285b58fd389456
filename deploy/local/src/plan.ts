import { join } from 'node:path';
import { factsOf, type ServiceName, SERVICES } from '@tps/contracts/fleet';
import { readBind } from './bind';
import { planNats, planRabbit } from './brokers';
import { LocalRuntimeError } from './errors';
import { readCount, readPort } from './numbers';
import type { Check } from './probe';
import type { Env, Settings } from './settings';

/** A port of a process, and the variable that changes it. */
export interface Listen {
  readonly port: number;
  readonly variable: string;
}

/** Everything needed to run one process. */
export interface ProcessSpec {
  /** Such as `kanban-1`; also the name of its log and its pid record. */
  readonly name: string;
  readonly service: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Its own variables, which override those that all processes get. */
  readonly env: Env;
  readonly listens: readonly Listen[];
  /** Files to write before it starts. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** Whether it runs: any answer counts, and without one it is restarted. */
  readonly live: Check;
  /** Whether it can work. */
  readonly ready: Check;
  /** While this file is fresh, a process that does not answer is blocked by its own work and does not hang. */
  readonly livenessFile?: string | undefined;
}

/** A broker that runs elsewhere and is only used here. */
export interface External {
  readonly service: string;
  readonly ready: Check;
}

export interface Plan {
  /** Started first, in this order. */
  readonly brokers: readonly ProcessSpec[];
  readonly services: readonly ProcessSpec[];
  readonly externals: readonly External[];
  /** Variables of every process: the user's environment and the addresses of the brokers. */
  readonly env: Env;
  readonly api: string | undefined;
  readonly metrics: string | undefined;
}

/** The facts about the machine that the plan depends on. */
export interface MachineFacts {
  readonly natsServer?: string;
  readonly rabbitServer?: string;
  readonly epmd?: string;
  /** Whether a broker already answers at the URL. */
  readonly natsAnswers: boolean;
  readonly rabbitAnswers: boolean;
}

/** These start last, in this order: workers after the services that follow their outcomes, the gateway after them. */
const LAST: readonly ServiceName[] = ['worker', 'gateway'];

export const START_ORDER: readonly ServiceName[] = [
  ...SERVICES.filter((service) => !LAST.includes(service)),
  ...LAST,
];

/** The services in reverse, so that new work stops first; then the brokers, which services need to finish their work. */
export const STOP_ORDER: readonly string[] = [...[...START_ORDER].reverse(), 'rabbitmq', 'epmd', 'nats'];

/** The services whose metrics port follows TPS_METRICS_BASE_PORT; the gateway has a variable of its own. */
const BY_BASE_PORT = SERVICES.filter((service) => service !== 'gateway');
const DEFAULT_BASE_PORT = Math.min(...BY_BASE_PORT.map((service) => factsOf(service).metricsPort));

/** The maximum of TPS_HEIJUNKA_POOL, as in its description. */
const MAX_REPLICAS = 256;
/**
 * V8 starts with half a megabyte for young objects and grows it only when many survive, which is rare here. More room
 * makes collections ten times rarer; they took a quarter of a worker's CPU time. It may not grow further: at the highest
 * rate that took 75 MiB more in andon, and saved no CPU time.
 */
const NODE_OPTIONS = ['--min-semi-space-size=8', '--max-semi-space-size=8', '--enable-source-maps'];

/** Decides which processes run, with their ports and variables. Pure: `facts` describes the machine. */
export function makePlan(settings: Settings, facts: MachineFacts): Plan {
  const nats = planNats(settings, facts);
  const rabbit = planRabbit(settings, facts);
  const services = planServices(settings);
  const brokers = [...nats.processes, ...rabbit.processes];
  const { host } = readBind(settings.env);
  assertNoPortTwice([...brokers, ...services]);
  const gateway = services.find(({ service }) => service === 'gateway');
  return {
    brokers,
    services,
    externals: [...nats.externals, ...rabbit.externals],
    env: { ...settings.env, ...nats.env, ...rabbit.env },
    api: gateway && urlOf(gateway, 'HTTP_PORT', `${apiScheme(settings.env)}://${host}`),
    metrics: gateway && urlOf(gateway, 'METRICS_PORT', `http://${host}`),
  };
}

function planServices(settings: Settings): ProcessSpec[] {
  const { env } = settings;
  const base = readPort(env, 'TPS_METRICS_BASE_PORT', DEFAULT_BASE_PORT);
  const replicas = START_ORDER.flatMap((service) =>
    Array.from({ length: replicasOf(service, env) }, (_, index) => ({ service, n: index + 1 })),
  ).sort((a, b) => a.n - b.n);

  // libs/contracts/src/fleet.ts has the port of every first replica; further replicas take the ports after those.
  let next = base + BY_BASE_PORT.length;
  const variable = 'TPS_METRICS_BASE_PORT';
  return replicas.map(({ service, n }) => {
    if (n > 1) return planService(settings, { service, n }, { port: next++, variable });
    const port = base + factsOf(service).metricsPort - DEFAULT_BASE_PORT;
    const metrics = service === 'gateway' ? gatewayMetrics(env) : { port, variable };
    return planService(settings, { service, n }, metrics);
  });
}

function planService(
  settings: Settings,
  { service, n }: { service: ServiceName; n: number },
  metrics: Listen | undefined,
): ProcessSpec {
  const { paths, env } = settings;
  const name = `${service}-${n}`;
  const { livenessVariable } = factsOf(service);
  const livenessFile = livenessVariable && join(paths.run, `${name}.alive`);
  const http =
    service === 'gateway'
      ? { port: readPort(env, 'HTTP_PORT', 8080) + n - 1, variable: 'HTTP_PORT' }
      : undefined;
  const listens = [http, metrics].filter((listen) => listen !== undefined);
  const { address, host } = readBind(env);
  const health = `${metrics ? 'http' : apiScheme(env)}://${host}:${(metrics ?? http)?.port}/health`;
  return {
    name,
    service,
    command: process.execPath,
    args: [...NODE_OPTIONS, join(paths.root, 'services', service, 'dist', 'main.js')],
    env: {
      TPS_BIND: address,
      METRICS_PORT: metrics === undefined ? 'disabled' : String(metrics.port),
      ...(http && { HTTP_PORT: String(http.port) }),
      ...dataFolder(settings, service),
      ...(livenessVariable && livenessFile && { [livenessVariable]: livenessFile }),
      INSTANCE_ID: env['INSTANCE_ID'] ? `${env['INSTANCE_ID']}-${name}` : name,
    },
    listens,
    files: [],
    live: { kind: 'http', url: `${health}/live` },
    ready: { kind: 'http', url: `${health}/ready` },
    livenessFile,
  };
}

/** The folder of what a service keeps between restarts, unless the user has chosen one. */
function dataFolder({ paths, env }: Settings, service: ServiceName): Env {
  const { dataVariable } = factsOf(service);
  return dataVariable && !env[dataVariable] ? { [dataVariable]: join(paths.data, service) } : {};
}

/** The number of replicas. 0 leaves a service out, for example to run it in a debugger. */
function replicasOf(service: ServiceName, env: Env): number {
  const variable = factsOf(service).replicasVariable ?? `TPS_REPLICAS_${service.toUpperCase()}`;
  return readCount(env, variable, 1, MAX_REPLICAS);
}

function gatewayMetrics(env: Env): Listen | undefined {
  if (env['METRICS_PORT'] === 'disabled') return undefined;
  const port = readPort(env, 'METRICS_PORT', factsOf('gateway').metricsPort, 'or "disabled"');
  return { port, variable: 'METRICS_PORT' };
}

function urlOf(spec: ProcessSpec, variable: string, origin: string): string | undefined {
  const listen = spec.listens.find((candidate) => candidate.variable === variable);
  return listen && `${origin}:${listen.port}`;
}

function apiScheme(env: Env): string {
  return env['SSL_ENABLED'] === 'true' ? 'https' : 'http';
}

function assertNoPortTwice(specs: readonly ProcessSpec[]): void {
  const seen = new Map<number, { name: string; variable: string }>();
  for (const { name, listens } of specs) {
    for (const { port, variable } of listens) {
      const other = seen.get(port);
      if (other !== undefined) {
        const variables = [...new Set([other.variable, variable])].join(' or ');
        throw new LocalRuntimeError(
          `${other.name} and ${name} would both listen on port ${port}: set ${variables} to another port.`,
        );
      }
      if (port > 65_535)
        throw new LocalRuntimeError(`${name} would listen on port ${port}: lower ${variable}.`);
      seen.set(port, { name, variable });
    }
  }
}
