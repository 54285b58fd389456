import type { IncomingMessage } from 'node:http';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import type { Registry } from 'prom-client';
import type { Bus } from '@tps/bus';
import { BOARD_SERVICES, type BoardService, recordOf } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import { readinessAnswer } from '@tps/service';
import type { Logger } from '@tps/telemetry';
import type { Access } from './access';
import { callHandlers } from './andon/calls';
import type { AndonEvents } from './andon/events';
import { type Handler, type Handlers, idOf } from './api/handlers';
import { inputReader } from './api/input';
import type { OpenApiDocument } from './api/openapi';
import { type OperationId, operations } from './api/operations';
import { apiPage } from './api/page';
import type { InfoReport } from './api/schemas';
import type { GatewayBackup } from './backup/gateway-backup';
import type { Boards } from './fleet/boards';
import type { RequestDurations } from './fleet/gauges';
import type { Health } from './fleet/health';
import { limitHandlers } from './fleet/limits';
import { typeHandlers } from './fleet/types';
import { checkAccept, prefersJson, wanted } from './pages/accept';
import { Assets } from './pages/assets';
import { preferences } from './prefer';
import { ApiError, sendJson, sendProblem, traceIdOf } from './problem';
import { requestService } from './request-service';
import { deadLetterHandlers } from './signals/dead-letters';
import type { RequeueSignal } from './signals/requeue-signal';
import { listSignals } from './signals/signal-list';
import type { SignalTypes } from './signals/signal-types';
import type { SignalViews } from './signals/signal-view';

export interface AppDeps {
  access: Access;
  log: Logger;
  registry: Registry;
  durations: RequestDurations;
  signals: SignalViews;
  requeue: RequeueSignal;
  bus: Bus;
  health: Health;
  boards: Boards;
  fleet: FleetView;
  types: SignalTypes;
  backup: GatewayBackup | undefined;
  andonEvents: AndonEvents;
  document: OpenApiDocument;
  info: () => InfoReport;
  /** Served over HTTPS. */
  secure: boolean;
  /** Why this gateway should get no requests. */
  problems: () => string[];
}

const BOARD_LIMIT_MS = 1_000;

/** All routes but `POST /signal`, from the table of operations. Needs no server to be used. */
export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing');
  const page = apiPage(deps.document);
  app.use(measure(deps.durations), protect(deps.secure), soundTarget);
  const assets = new Assets();
  app.get('/assets/:file', assets.serve);
  const handlers = handlersOf(deps, page, assets) as Partial<Record<OperationId, Handler>>;
  for (const [id, operation] of operations) {
    const handler = handlers[id];
    if (!handler) continue;
    const read = inputReader(operation);
    app[operation.method](routeOf(operation.path), async (req, res) => {
      if (operation.role === 'operator') deps.access.requireOperator(req);
      await handler(req, res, await read(req));
    });
  }
  for (const [path, allowed] of methodsByPath()) app.all(routeOf(path), otherMethod(allowed));
  app.use((req) => {
    throw new ApiError('NOT_FOUND', `There is no ${req.path}; GET / lists what there is.`);
  });
  app.use(errorHandler(deps.log));
  return app;
}

function handlersOf(deps: AppDeps, page: string, assets: Assets): Handlers {
  const { access, boards, bus, health, signals, types } = deps;
  const board = (service: BoardService) => async (_req: Request, res: Response) =>
    sendJson(res, 200, await boards.ask(service, BOARD_LIMIT_MS));
  return {
    ...recordOf(BOARD_SERVICES, board),
    getSignal: async (req, res) => {
      const { waitMs } = preferences(req);
      const view = await signals.show(idOf(req), waitMs, (left) => res.once('close', left));
      if (waitMs > 0) res.setHeader('preference-applied', `wait=${waitMs / 1000}`);
      sendJson(res, 200, view);
    },
    signals: async (_req, res, { query }) => sendJson(res, 200, await listSignals(bus, query)),
    retrySignal: (req, res) => deps.requeue.handle(idOf(req), req, res),
    ...deadLetterHandlers(bus),
    ...callHandlers(bus, types, access),
    ...limitHandlers(bus, types),
    ...typeHandlers(deps),
    cancelSignal: async (req, res) => sendJson(res, 200, await signals.cancel(idOf(req))),
    health: async (_req, res) => {
      const { status, body } = await health.report();
      sendJson(res, status, body);
    },
    live: (_req, res) => sendJson(res, 200, { live: true }),
    ready: (_req, res) => sendJson(res, ...readinessAnswer(deps.problems())),
    metrics: async (req, res) => {
      checkAccept(req);
      if (!prefersText(req)) return sendJson(res, 200, await metricsOf(boards));
      res.type(deps.registry.contentType).send(await deps.registry.metrics());
    },
    info: (_req, res) => sendJson(res, 200, deps.info()),
    status: async (_req, res) => {
      const [{ body }, metrics] = await Promise.all([health.report(), metricsOf(boards).catch(() => null)]);
      sendJson(res, 200, { status: 'running', health: body, metrics });
    },
    kanban: async (_req, res) => sendJson(res, 200, await kanbanBoard(deps)),
    andon: (req, res) => {
      checkAccept(req);
      res.vary('accept');
      return prefersJson(req) ? board('andon')(req, res) : res.type('html').send(assets.board);
    },
    andonEvents: (req, res, { query }) => deps.andonEvents.serve(req, res, query.after),
    suggestions: async (_req, res) =>
      sendJson(res, 200, await requestService(bus, 'suggestions', {}, { limitMs: BOARD_LIMIT_MS })),
    openapi: (_req, res) => sendJson(res, 200, deps.document),
    page: (_req, res) => res.type('html').send(page),
  };
}

/** Above all while kanban is away, somebody wants to know what the backup holds. */
async function kanbanBoard({ boards, backup }: AppDeps): Promise<object> {
  const known = await boards.latest('kanban', BOARD_LIMIT_MS);
  if (known?.fresh)
    return backup ? { ...known.board, backup: backup.amend(known.board.backup) } : known.board;
  const status = await backup?.status(known?.board.backup);
  if (known && status) return { ...known.board, backup: status, stale: true };
  const members = status ? { backup: status } : {};
  throw new ApiError('UNAVAILABLE', 'kanban does not answer.', { members });
}

/** The latest figures of kaizen. While it is away they only grow old. */
async function metricsOf(boards: Boards): Promise<object> {
  const kaizen = await boards.latest('kaizen', BOARD_LIMIT_MS);
  if (!kaizen) throw new ApiError('UNAVAILABLE', 'kaizen does not answer.');
  return kaizen.board;
}

/** Prometheus names text before anything; curl and browsers take whatever comes and get JSON. */
function prefersText(req: IncomingMessage): boolean {
  const json = wanted(req, /^(application\/json|application\/\*|\*\/\*)$/);
  return wanted(req, /^(text\/plain|text\/\*|application\/openmetrics-text)$/) > json;
}

function routeOf(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}

function methodsByPath(): Map<string, string[]> {
  const methods = new Map<string, string[]>();
  for (const [, { path, method }] of operations) {
    const allowed = methods.get(path) ?? ['OPTIONS'];
    methods.set(path, [...allowed, ...(method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()])]);
  }
  // As the document is read: a path without parameters goes before one that would fit, too.
  const variable = (path: string): number => Number(path.includes('{'));
  return new Map([...methods].sort(([a], [b]) => variable(a) - variable(b)));
}

function otherMethod(allowed: string[]) {
  const allow = allowed.sort().join(', ');
  return (req: Request, res: Response) => {
    if (req.method === 'OPTIONS') return res.status(204).setHeader('allow', allow).end();
    const message = `${req.path} takes ${allow}`;
    throw new ApiError('METHOD_NOT_ALLOWED', message, { headers: { allow } });
  };
}

/** Only the pages' own styles and scripts run, and they talk to nobody but this gateway. */
function protect(secure: boolean): ReturnType<typeof helmet> {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: ["'self'"],
        scriptSrc: ["'self'"],
        connectSrc: ["'self'"],
        // The pages' empty icon.
        imgSrc: ['data:'],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    // Where TLS ends before us, it is for whoever ends it to say.
    strictTransportSecurity: secure,
  });
}

function measure(durations: RequestDurations) {
  return (req: Request, res: Response, next: NextFunction): void => {
    const began = performance.now();
    res.once('finish', () => {
      const route = req.route as { path: string } | undefined;
      durations.observe(req.method, route?.path ?? 'none', res.statusCode, performance.now() - began);
    });
    next();
  };
}

/** Express drops a fragment and some raw characters from a URL, and would route the rest. */
function soundTarget(req: Request, _res: Response, next: NextFunction): void {
  if (/^[!-"$-~]*$/.test(req.url)) return next();
  const message = 'The URL holds a "#" or a character that must be percent-encoded.';
  throw new ApiError('INVALID_REQUEST', message);
}

/** Express tells error handlers by their four parameters. */
function errorHandler(log: Logger) {
  return (error: unknown, req: Request, res: Response, next: NextFunction): void => {
    if (res.headersSent) return next(error);
    const traceId = traceIdOf(req);
    if (error instanceof ApiError) return sendProblem(req, res, error, traceId);
    // A path that cannot be decoded.
    if (error instanceof URIError || (error as { status?: number }).status === 400) {
      const message = `The path ${req.path.slice(0, 200)} cannot be decoded.`;
      return sendProblem(req, res, new ApiError('INVALID_REQUEST', message), traceId);
    }
    log.error('request failed', { error, trace_id: traceId, path: req.path });
    sendProblem(req, res, new ApiError('INTERNAL', 'The gateway failed; the log has the reason.'), traceId);
  };
}
