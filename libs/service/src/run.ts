import type { Server } from 'node:http';
import { hostname } from 'node:os';
import type { TProperties } from '@sinclair/typebox';
import type { Msg } from '@nats-io/transport-node';
import { type Service, Svcm } from '@nats-io/services';
import { type Bus, connectBus } from '@tps/bus';
import {
  type Heartbeat,
  type ErrorReply,
  HEARTBEAT_MS,
  parseRequest,
  REQUESTS,
  telemetryName,
  WIRE_VERSION,
} from '@tps/contracts';
import { createLogger, exposeDropped, type Logger, startTracing, type Tracing } from '@tps/telemetry';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { type CommonConfig, type ConfigOf, loadConfig, redactedConfig } from './config';
import type {
  EndpointOptions,
  Closeable,
  RunningService,
  ServiceContext,
  ServiceDefinition,
} from './definition';
import { logCopies, natsAccess, placedBy } from './nats-access';
import { serveProbes } from './probes';

/** prom-client's default of 10 ms wakes an idle process a hundred times a second. The measured lag includes this interval. */
const LAG_SAMPLE_MS = 100;
const FLUSH_LIMIT_MS = 3_000;
const VERSION = '1.0.0';
/** States of the NATS connection that need people, such as a refused password or a missing permission. */
const TROUBLE = new Set(['cannot connect', 'error', 'disconnect']);

/** A started service, as its process drives it. */
export interface ServiceHandle {
  stop(): Promise<void>;
  /** @returns false if the error is the service's own, so that the process must end */
  absorb(error: unknown): boolean;
}

/**
 * Starts a service. When a step fails, the steps before it are undone.
 *
 * @param env the variables, as `process.env` has them
 * @param onFail called when the service cannot go on; the caller ends the process
 * @throws ConfigError when a variable has a value that is not allowed
 */
export async function startService<P extends TProperties, D extends Closeable | undefined>(
  definition: ServiceDefinition<P, D>,
  env: Record<string, string | undefined>,
  onFail: (error: unknown) => void,
): Promise<ServiceHandle> {
  const lifecycle = new Lifecycle(definition, env, onFail);
  try {
    await lifecycle.start();
  } catch (error) {
    await lifecycle.stop();
    throw error;
  }
  return lifecycle;
}

/**
 * The life of every service: configuration, probes, tracing, NATS, its own start, heartbeats. `stop()` then makes it not
 * ready, refuses requests, finishes, flushes and disconnects. Stopping is safe at any moment, and runs every step even if
 * one fails.
 */
class Lifecycle<P extends TProperties, D extends Closeable | undefined> implements ServiceHandle {
  private opened: D | undefined;
  private readonly config: ConfigOf<P> & CommonConfig;
  private readonly instance: string;
  private readonly log: Logger;
  private readonly tracing: Tracing;
  private readonly registry = new Registry();
  private readonly startedAt = new Date();
  private probes: Server | undefined;
  private bus: Bus | undefined;
  private endpoints: Service | undefined;
  private running: RunningService | undefined;
  private heartbeats: NodeJS.Timeout | undefined;
  private stopping: Promise<void> | undefined;

  constructor(
    private readonly definition: ServiceDefinition<P, D>,
    env: Record<string, string | undefined>,
    private readonly onFail: (error: unknown) => void,
  ) {
    this.config = loadConfig(definition.variables, env);
    this.instance = this.config.INSTANCE_ID || `${hostname()}-${process.pid}`;
    const name = telemetryName(definition.name);
    this.log = createLogger(name, this.instance, this.config.LOG_LEVEL);
    this.tracing = startTracing({
      endpoint: this.config.JAEGER_ENDPOINT,
      ratio: this.config.TPS_TRACE_SAMPLE,
      resource: {
        ...tagsIn(this.config.JAEGER_TAGS),
        'service.name': name,
        'service.version': VERSION,
        'service.instance.id': this.instance,
        'service.namespace': this.config.APP_NAME,
        'deployment.environment.name': this.config.APP_ENVIRONMENT,
      },
      onState: (problem) => {
        if (problem) this.log.warn('traces are not delivered', { problem });
        else this.log.info('traces are delivered again');
      },
    });
    this.registry.setDefaultLabels({ service: name });
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: LAG_SAMPLE_MS });
    exposeDropped(this.registry, this.tracing);
  }

  async start(): Promise<void> {
    const { METRICS_PORT: port, TPS_BIND } = this.config;
    if (port !== 'disabled') {
      this.probes = await serveProbes({ port, TPS_BIND }, this.registry, () => this.problems());
    }
    const { config, log } = this;
    this.opened = await this.definition.open?.({ config, log });
    this.bus = await connectBus({
      ...natsAccess(this.definition.name, this.config),
      owner: this.definition.name,
      name: `${telemetryName(this.definition.name)} ${this.instance}`,
      streamPrefix: this.config.TPS_STREAM_PREFIX,
      onStatus: (status) => this.log.log(TROUBLE.has(status.type) ? 'warn' : 'info', 'nats', { status }),
      onLost: this.onFail,
      onCopies: (change) => logCopies(this.log, change),
      onUnreadable: (error) => this.log.error('a reply cannot be read', { error }),
      onStateLost: (loss) => this.log.error('the broker lost state that this process follows', { loss }),
    });
    this.endpoints = await new Svcm(this.bus.nc).add({
      name: telemetryName(this.definition.name),
      version: VERSION,
      description: `TPS ${this.definition.name}`,
      metadata: { instance: this.instance },
    });
    this.running = await placedBy(config, this.definition.start(this.context(this.bus), this.opened as D));
    if (this.running.board) {
      this.serve('board', this.bus.names.subjects.board(this.definition.name), () => this.running?.board?.());
    }
    // Others can reach the service only when the broker knows its endpoints.
    await this.bus.nc.flush();
    this.heartbeats = setInterval(() => this.sendHeartbeat(), HEARTBEAT_MS);
    // After an outage no process knows the others, so the fleet looks incomplete until heartbeats arrive.
    this.bus.onReconnect(() => this.sendHeartbeat());
    this.sendHeartbeat();
    this.running.begin?.();
    this.log.info('started', { config: redactedConfig(this.definition.variables, this.config) });
  }

  stop(): Promise<void> {
    return (this.stopping ??= this.stopOnce());
  }

  absorb(error: unknown): boolean {
    try {
      return this.running?.absorb?.(error) ?? false;
    } catch (fault) {
      this.log.error('an unhandled error could not be classified', { error: fault });
      return false;
    }
  }

  private async stopOnce(): Promise<void> {
    // A service that never ran logs only the reason, in one line.
    const { running } = this;
    if (running) this.log.info('stopping');
    this.sendHeartbeat(true);
    clearInterval(this.heartbeats);
    await this.step('endpoints', () => this.endpoints?.stop());
    await this.step('service', () => running?.stop());
    await this.step('opened', () => this.opened?.close());
    await this.step('tracing', () => this.tracing.shutdown(FLUSH_LIMIT_MS));
    await this.step('bus', () => this.bus?.close());
    await this.step('probes', () => this.probes?.close());
    this.probes?.closeAllConnections();
    if (running) this.log.info('stopped');
  }

  private async step(name: string, run: () => unknown): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.log.error('stopping went wrong', { step: name, error });
    }
  }

  private problems(): string[] {
    if (this.stopping) return ['stopping'];
    if (!this.bus) return ['not connected to NATS yet'];
    if (!this.running) return ['starting'];
    if (this.running.problems) return this.running.problems();
    return this.bus.connected ? [] : ['not connected to NATS'];
  }

  private sendHeartbeat(leaving = false): void {
    if (!this.bus?.connected) return;
    const lost = this.bus.losses.recent();
    const heartbeat: Heartbeat = {
      v: WIRE_VERSION,
      service: this.definition.name,
      instance: this.instance,
      started_at: this.startedAt.toISOString(),
      at: new Date().toISOString(),
      ready: !leaving && this.problems().length === 0,
      ...(leaving ? { leaving } : {}),
      vitals: this.running?.vitals?.() ?? {},
      ...(lost.length > 0 ? { lost } : {}),
    };
    const text = JSON.stringify(heartbeat);
    this.bus.nc.publish(this.bus.names.subjects.heartbeat(this.definition.name), text);
    this.running?.onHeartbeat?.(text);
  }

  private context(bus: Bus): ServiceContext<ConfigOf<P>> {
    return {
      service: this.definition.name,
      instance: this.instance,
      version: VERSION,
      config: this.config,
      log: this.log,
      tracer: this.tracing.tracer,
      bus,
      registry: this.registry,
      startedAt: this.startedAt,
      endpoint: (name, handler, options) =>
        this.serve(
          REQUESTS[name].endpoint,
          bus.names.subjects[name],
          (msg) => handler(parseRequest(name, msg), msg),
          options,
        ),
      fail: this.onFail,
    };
  }

  private serve(
    name: string,
    subject: string,
    handler: (msg: Msg) => unknown,
    options: EndpointOptions = {},
  ): void {
    const answer = async (msg: Msg): Promise<void> => {
      try {
        msg.respond(JSON.stringify((await handler(msg)) ?? null));
      } catch (error) {
        this.log.error('request failed', { endpoint: name, error });
        if (!this.bus?.nc.isClosed())
          msg.respond(JSON.stringify({ error: String(error) } satisfies ErrorReply));
      }
    };
    // With its own queue, every process gets the request. The framework has no endpoints without a queue.
    const queue = options.broadcast ? { queue: `each-${this.instance.replace(/[^\w-]/g, '_')}` } : {};
    this.endpoints?.addEndpoint(name, {
      subject,
      ...queue,
      handler: (error, msg) => {
        if (error) this.log.error('endpoint lost', { endpoint: name, error });
        else void answer(msg);
      },
    });
  }
}

/** Reads `JAEGER_TAGS`, whose form the configuration has checked. */
function tagsIn(list: string): Record<string, string> {
  const pairs = list.split(',').filter(Boolean);
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
