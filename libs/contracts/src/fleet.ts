/**
 * The manifest of the fleet: everything that the rest of the tree has to know about a service.
 *
 * The gateway (routes, documentation page), the local runtime, the compose stack's secrets and the tests read it. `make render`
 * writes it into the files that must stay plain: compose, chart values, Prometheus, the root tsconfig.json and the README.
 * This module imports nothing, so that tools can load it as `@tps/contracts/fleet` without the rest of the package.
 */
interface ServiceFacts {
  /** The service in plain words, for the README and the documentation page. */
  readonly does: string;
  /** The principle of the Toyota Production System behind it. */
  readonly principle: string;
  /** The one span that the service adds to a signal's trace. */
  readonly span: string;
  /** Summary of `GET /<name>`, which serves the service's board. Without it the API has no such route. */
  readonly board?: string;
  /** Port of `/metrics` and `/health` in the local runtime. Give a new service the next free one; never move an old one. */
  readonly metricsPort: number;
  /** User id of its container, which owns the files with its secrets. Give a new service the next free one. */
  readonly uid: number;
  /** Whether the service uses the backup broker, and therefore gets `RABBITMQ_URL`. Default: false. */
  readonly usesBackup?: boolean;
  /**
   * The variable that names the folder of a projection which the service keeps between restarts. Its container gets a volume
   * for it. The folder may be lost, because the service builds the projection anew. Default: the service keeps nothing on disk.
   */
  readonly dataVariable?: string;
  /**
   * The variable that names the file which a process touches while its main thread is blocked and must not be restarted for
   * that. Default: a process that does not answer hangs.
   */
  readonly livenessVariable?: string;
  /** The variable that sets the number of processes. Default: `TPS_REPLICAS_<NAME>`. */
  readonly replicasVariable?: string;
}

/** The services in the order in which a signal meets them. `docs/extending.md` says what a new row needs beside it. */
export const FLEET = {
  gateway: {
    does: 'the HTTP API; its name in traces and logs is `tps-system`',
    principle: 'the way in',
    span: 'process_signal',
    metricsPort: 9090,
    uid: 2001,
    usesBackup: true,
  },
  jidoka: {
    does: 'the circuit breaker: one circuit per signal type, shared by the fleet, kept across restarts',
    principle: 'stop at the defect',
    span: 'jidoka.admit',
    board: 'Circuits: which lines run, which are stopped',
    metricsPort: 9101,
    uid: 2002,
  },
  kanban: {
    does: 'the durable queue and its bound',
    principle: 'pull, limit work in progress',
    span: 'kanban.enqueue',
    board: 'The queue: lanes with their age and what is held, cards, who has what, buffer',
    metricsPort: 9102,
    uid: 2003,
    usesBackup: true,
  },
  worker: {
    does: 'runs handlers in a fixed number of slots',
    principle: 'do the work at a steady rate',
    span: 'worker.process',
    metricsPort: 9106,
    uid: 2004,
    replicasVariable: 'TPS_HEIJUNKA_POOL',
    livenessVariable: 'TPS_LIVENESS_FILE',
  },
  andon: {
    does: 'shows each line and station in red, yellow or green; keeps calls, stops by people, the history and the records of signals',
    principle: 'make problems visible, call for help',
    span: 'andon.record',
    board: 'Colours of lines and stations',
    metricsPort: 9103,
    uid: 2005,
    dataVariable: 'TPS_RECORDS_DIR',
  },
  kaizen: {
    does: 'counts, computes true percentiles, writes production reports, suggests improvements',
    principle: 'improve from facts',
    span: 'kaizen.record',
    board: 'Counts and true percentiles',
    metricsPort: 9104,
    uid: 2006,
  },
  heijunka: {
    does: 'levels the mix: how often workers take each type, by measured demand',
    principle: 'level the load',
    span: 'heijunka.level',
    board: 'The level schedule, takt and distribution',
    metricsPort: 9105,
    uid: 2007,
  },
} as const satisfies Record<string, ServiceFacts>;

/** The name of a service: its folder in `services/`, its user at NATS and the last part of its subjects. */
export type ServiceName = keyof typeof FLEET;

/** The services whose board the API serves as `GET /<name>`. */
export type BoardService = {
  [S in ServiceName]: (typeof FLEET)[S] extends { board: string } ? S : never;
}[ServiceName];

/** The names of all services, in the order of {@link FLEET}. */
export const SERVICES = Object.keys(FLEET) as [ServiceName, ...ServiceName[]];

/** The names of the services with a board, in the order of {@link FLEET}. */
export const BOARD_SERVICES = SERVICES.filter(
  (service): service is BoardService => 'board' in FLEET[service],
);

/** A record with one value for each of the names, such as one route for each of {@link BOARD_SERVICES}. */
export function recordOf<N extends string, V>(names: readonly N[], valueOf: (name: N) => V): Record<N, V> {
  return Object.fromEntries(names.map((name) => [name, valueOf(name)])) as Record<N, V>;
}

/** The facts of one service; optional ones can be read without knowing which service it is. */
export function factsOf(service: ServiceName): ServiceFacts {
  return FLEET[service];
}

/** The `service.name` of a service in traces, logs and metrics: the gateway is the system's face. */
export function telemetryName(service: ServiceName): string {
  return service === 'gateway' ? 'tps-system' : `tps-${service}`;
}

/** The one span each service adds to a signal's trace. */
export const SPANS = Object.fromEntries(SERVICES.map((service) => [service, FLEET[service].span])) as {
  readonly [S in ServiceName]: (typeof FLEET)[S]['span'];
};
