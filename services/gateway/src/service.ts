import type { GatewayVitals } from '@tps/contracts';
import { FleetView, LineView } from '@tps/fleet';
import type { ConfigOf, RunningService, ServiceContext, ServiceDefinition } from '@tps/service';
import { Access } from './access';
import { AndonEvents } from './andon/events';
import { registerAndonGauges } from './andon/gauges';
import { openApiDocument } from './api/openapi';
import type { InfoReport } from './api/schemas';
import { createApp } from './app';
import { checkConfig, gatewayVariables, tracesUrl } from './config';
import { Boards } from './fleet/boards';
import { registerFleetGauges, registerFlowGauges, RequestDurations } from './fleet/gauges';
import { Health } from './fleet/health';
import { OfferedSignals } from './fleet/offered-signals';
import { createRequestListener, HttpServer, shut } from './http-server';
import { SignalSubmitter } from './signals/signal-submitter';
import { PostSignal } from './signals/post-signal';
import { SignalLookup } from './signals/signal-lookup';
import { RequeueSignal } from './signals/requeue-signal';
import { SignalTypes } from './signals/signal-types';
import { SignalViews } from './signals/signal-view';
import { IdempotentSubmissions } from './signals/idempotent-submissions';
import { OutcomeWaiters } from './signals/outcome-waiters';
import { GatewayBackup } from './backup/gateway-backup';

type Context = ServiceContext<ConfigOf<typeof gatewayVariables>>;

/** How long callers may go on waiting for their outcome when the gateway has to stop. */
const STOP_LIMIT_MS = 10_000;

/** The front httpServer: the HTTP API, before everything else. */
export const gateway: ServiceDefinition<typeof gatewayVariables, HttpServer> = {
  name: 'gateway',
  variables: gatewayVariables,
  open,
  start,
};

function open({ config, log }: Pick<Context, 'config' | 'log'>): Promise<HttpServer> {
  checkConfig(config);
  return HttpServer.open(config, log);
}

async function start(context: Context, httpServer: HttpServer): Promise<RunningService> {
  const { bus, config, log, registry, tracer } = context;
  const lines = await followLines(context);
  const types = await SignalTypes.open(bus, config.TPS_NATS_REPLICAS, log);
  const fleet = new FleetView(bus, { onError: (error) => log.warn('fleet', { error }) });
  const lookup = new SignalLookup(bus, fleet);
  const waiters = new OutcomeWaiters(bus, lookup, log);
  const backup = await openBackup(context, fleet);
  const counts = new OfferedSignals();
  const submitter = new SignalSubmitter({ bus, lines, fleet, counts, log, backup });
  const boards = new Boards(bus);
  const andonEvents = new AndonEvents(bus, boards, log);
  const health = new Health({ bus, fleet, boards, types, lines, backup });
  const durations = new RequestDurations(registry);
  registerFleetGauges(registry, health, boards);
  registerFlowGauges(registry, { counts, boards, types });
  registerAndonGauges(registry, boards);

  let stopping = false;
  const problems = (): string[] => (stopping ? ['stopping'] : health.problems());
  const access = new Access(config);
  const views = new SignalViews({ bus, fleet, lookup, waiters, lines, backup });
  const app = createApp({
    access,
    log,
    registry,
    durations,
    health,
    boards,
    fleet,
    types,
    andonEvents,
    problems,
    signals: views,
    requeue: new RequeueSignal({ bus, tracer, log, submitter, waiters, views, lines }),
    bus,
    backup,
    secure: config.SSL_ENABLED,
    document: openApiDocument(context.version, config.AUTH_ENABLED),
    info: () => infoOf(context, types),
  });
  const submissions = new IdempotentSubmissions(submitter, lookup, waiters);
  const { replyTo } = waiters;
  const postSignal = new PostSignal({ tracer, log, types, lines, submissions, durations, replyTo });
  httpServer.serve(createRequestListener(access, postSignal.handle, app));

  return {
    problems,
    vitals: () => vitals(waiters, counts, backup),
    stop: async () => {
      stopping = true;
      andonEvents.close();
      await shut(httpServer.server, STOP_LIMIT_MS, () => waiters.close());
      waiters.close();
      submitter.close();
      await backup?.close();
      for (const part of [types, lines, fleet]) part.close();
    },
  };
}

function vitals(
  { size }: OutcomeWaiters,
  { offered, refused, full }: OfferedSignals,
  backup: GatewayBackup | undefined,
): Record<string, unknown> {
  const nowMs = Date.now();
  const vitals: GatewayVitals = {
    waiting: size,
    refused_5m: refused.recent(nowMs),
    offered_5m: offered.recent(nowMs),
    offered_per_s: offered.perSecond(nowMs),
    full_5m: full.recent(nowMs),
  };
  if (backup) vitals.backup = { active: backup.active };
  return { ...vitals };
}

async function openBackup(context: Context, fleet: FleetView): Promise<GatewayBackup | undefined> {
  const { bus, config, instance, log } = context;
  const { RABBITMQ_URL: url, RABBITMQ_CA_FILE: caFile, TPS_KANBAN_BUFFER: maxLength } = config;
  return url ? GatewayBackup.open({ url, caFile, maxLength, instance, bus, fleet, log }) : undefined;
}

function followLines({ bus, config, log }: Context): Promise<LineView> {
  const onError = (error: unknown): void => void log.error('following the lines failed', { error });
  return LineView.open(bus, { replicas: config.TPS_NATS_REPLICAS, onError });
}

function infoOf({ config, version, instance, startedAt }: Context, types: SignalTypes): InfoReport {
  return {
    name: 'TPS Reference System',
    version,
    uptime_secs: Math.floor((Date.now() - startedAt.getTime()) / 1000),
    instance,
    environment: config.APP_ENVIRONMENT,
    signal_types: types.known(),
    ...(config.TPS_TRACES_URL ? { traces_url: tracesUrl(config.TPS_TRACES_URL) } : {}),
    config: {
      num_workers: config.TPS_NUM_WORKERS,
      worker_processes: config.TPS_HEIJUNKA_POOL,
      http_port: config.HTTP_PORT,
      metrics_port: config.METRICS_PORT,
      kanban_buffer: config.TPS_KANBAN_BUFFER,
      cb_threshold: config.TPS_CB_THRESHOLD,
      cb_timeout_secs: config.TPS_CB_TIMEOUT,
      rate_limit: config.RATE_LIMIT,
      auth_enabled: config.AUTH_ENABLED,
    },
  };
}
