import type { TProperties } from '@sinclair/typebox';
import type { Msg } from '@nats-io/transport-node';
import type { Bus } from '@tps/bus';
import type { ReplyOf, RequestName, RequestOf, ServiceName } from '@tps/contracts';
import type { Logger, SignalTracer } from '@tps/telemetry';
import type { Registry } from 'prom-client';
import type { CommonConfig, ConfigOf } from './config';

/** Which processes of a service get a request. By default, one of the replicas gets it. */
export interface EndpointOptions {
  /** Every process gets every request, instead of one of the replicas. */
  broadcast?: boolean;
}

/** Everything that `runService` hands to a service. */
export interface ServiceContext<C = object> {
  readonly service: ServiceName;
  readonly instance: string;
  readonly version: string;
  readonly config: C & CommonConfig;
  readonly log: Logger;
  readonly tracer: SignalTracer;
  readonly bus: Bus;
  readonly registry: Registry;
  readonly startedAt: Date;
  /**
   * Answers a request, as an endpoint of the NATS services framework. The handler gets the parsed request, and its return
   * value is sent as JSON. An unreadable request or an error of the handler is logged and answered as an error.
   */
  endpoint<N extends RequestName>(
    name: N,
    handler: (request: RequestOf<N>, msg: Msg) => ReplyOf<N> | Promise<ReplyOf<N>>,
    options?: EndpointOptions,
  ): void;
  /** Ends the process, because the service cannot work any more and must be started again. */
  fail(error: unknown): void;
}

/** A started service, as `runService` drives it. Only `stop` is required. */
export interface RunningService {
  /** Finishes or releases the work under way. Endpoints take no more requests by then. */
  stop(): Promise<void>;
  /** Called when the endpoints exist and the first heartbeat is sent, so that other processes know this one. */
  begin?(): void;
  /** Returns the reasons why the service cannot work now; empty if it can. */
  problems?(): string[];
  /**
   * Absorbs an unhandled rejection or an uncaught exception. False means that it is the service's own error, so that the
   * process ends.
   */
  absorb?(error: unknown): boolean;
  /** Called with every heartbeat that is sent, as JSON. */
  onHeartbeat?(heartbeat: string): void;
  /** Sent with every heartbeat. */
  vitals?(): Record<string, unknown>;
  /** The reply to a request for the service's board. */
  board?(): unknown;
}

/** What a service opens before NATS is there, such as an HTTP server that tells callers to wait. */
export interface Closeable {
  close(): Promise<void>;
}

/** A service: its name in the fleet, its variables, and how it starts. */
export interface ServiceDefinition<P extends TProperties, D extends Closeable | undefined = undefined> {
  name: ServiceName;
  /** The service's own variables, beside the common ones. */
  variables: P;
  /** Called before the connection to NATS, which may be down for long. */
  open?(context: Pick<ServiceContext<ConfigOf<P>>, 'config' | 'log'>): Promise<D>;
  /** @param opened the result of `open`; closed after the service when it stops, or when it cannot start */
  start(context: ServiceContext<ConfigOf<P>>, opened: D): Promise<RunningService>;
}
