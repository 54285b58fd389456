import type { ServerResponse } from 'node:http';
import type { Static } from '@sinclair/typebox';
import type { Bus } from '@tps/bus';
import type { DeadLetterFilter, RedriveJob, ReplyOf, SingleName, RequestOf } from '@tps/contracts';
import type { Request } from 'express';
import { v7 as uuidv7 } from 'uuid';
import { type Handlers, idOf } from '../api/handlers';
import type * as schemas from '../api/schemas';
import { preferences } from '../prefer';
import { ApiError, sendJson } from '../problem';
import { requestService } from '../request-service';
import { checkId } from './signal-view';

type Names =
  'deadLetters' | 'deadLetter' | 'redriveDead' | 'purgeDead' | 'redrives' | 'redrive' | 'cancelRedrive';

/** The names by which a client may give the same part of a filter. */
const NAMES: Record<string, string> = {
  type: '/type or /signal_type',
  class: '/class or /error_class',
  ids: '/id or /ids',
};
const REQUEST_LIMIT_MS = 10_000;
const DEFAULT_WAIT_MS = 10_000;
/** kanban holds a reply no longer than this. */
const WAIT_SLICE_MS = 20_000;

/** Handles the operations on dead letters and redrive jobs. */
export function deadLetterHandlers(bus: Bus): Pick<Handlers, Names> {
  return {
    deadLetters: async (_req, res, { query: { limit, cursor, ...given } }) => {
      const request = { filter: filterOf(given), limit, ...(cursor ? { cursor } : {}) };
      sendJson(res, 200, await askKanban(bus, 'deadLetters', request));
    },
    deadLetter: async (req, res) => {
      const id = uuidOf(req);
      const { letter } = await askKanban(bus, 'deadLetter', { id });
      if (!letter) throw new ApiError('NOT_FOUND', `There is no dead letter of the signal ${id}.`);
      sendJson(res, 200, letter);
    },
    redriveDead: async (req, res, { body: { filter, ids, ...order } }) => {
      const { respondAsync, waitMs } = preferences(req);
      const request = { ...order, id: uuidv7(), filter: filterOf(filter, ids && { ids }) };
      const started = await askKanban(bus, 'redriveStart', request);
      if ('retired' in started) {
        throw new ApiError('UNKNOWN_SIGNAL_TYPE', `Not redriven: ${started.retired}.`);
      }
      if ('refused' in started) throw new ApiError('REDRIVES_BUSY', `${started.refused}: try again later.`);
      if ('dry_run' in started) return sendJson(res, 200, started);
      const job = await awaitEnd(bus, started.redrive, respondAsync ? 0 : waitMs || DEFAULT_WAIT_MS, res);
      if (!res.destroyed) res.setHeader('location', `/kanban/redrives/${job.id}`);
      sendJson(res, 202, publicJob(job));
    },
    purgeDead: async (_req, res, { query, body }) => {
      const filter = filterOf(query, body?.filter, body?.ids && { ids: body.ids });
      if (Object.keys(filter).length === 0) {
        const allowed = 'type, status, class, fingerprint, since, until, id';
        throw new ApiError('INVALID_REQUEST', `Deleting dead letters needs a filter: one of ${allowed}.`);
      }
      sendJson(res, 200, await askKanban(bus, 'purge', { filter }));
    },
    redrives: async (_req, res) => {
      const { redrives } = await askKanban(bus, 'redrives', {});
      sendJson(res, 200, { items: redrives.map(publicJob) });
    },
    redrive: async (req, res) => {
      const { waitMs } = preferences(req);
      const first = await redriveJob(bus, { id: uuidOf(req) });
      sendJson(res, 200, publicJob(await awaitEnd(bus, first, waitMs, res)));
    },
    cancelRedrive: async (req, res) => {
      sendJson(res, 200, publicJob(await redriveJob(bus, { id: uuidOf(req), cancel: true })));
    },
  };
}

/** @throws ApiError UNAVAILABLE */
function askKanban<N extends SingleName>(
  bus: Bus,
  name: N,
  request: RequestOf<N>,
  waitMs = 0,
): Promise<ReplyOf<N>> {
  return requestService(bus, name, request, { limitMs: REQUEST_LIMIT_MS + waitMs });
}

/** @throws ApiError NOT_FOUND */
async function redriveJob(bus: Bus, request: RequestOf<'redrive'>): Promise<RedriveJob> {
  const { redrive } = await askKanban(bus, 'redrive', request, request.wait_ms);
  if (!redrive) throw new ApiError('NOT_FOUND', `There is no redrive ${request.id}.`);
  return redrive;
}

/** Waits for the end of a job. Returns its latest known state when the time is up or kanban does not answer. */
async function awaitEnd(
  bus: Bus,
  first: RedriveJob,
  waitMs: number,
  res: ServerResponse,
): Promise<RedriveJob> {
  const until = Date.now() + waitMs;
  let job = first;
  while (job.state === 'running' && Date.now() < until && !res.destroyed) {
    const wait_ms = Math.min(until - Date.now(), WAIT_SLICE_MS);
    const next = await redriveJob(bus, { id: job.id, wait_ms }).catch(() => null);
    if (!next) break;
    job = next;
  }
  return job;
}

type Given = Static<typeof schemas.LetterFilter> & { id?: string };

/**
 * Combines the deps of a filter from query and body. Each narrows the selection.
 * @throws ApiError INVALID_REQUEST when two deps have the same name: one of them would be ignored
 */
function filterOf(...given: (Given | undefined)[]): DeadLetterFilter {
  const filter: DeadLetterFilter = {};
  for (const part of given) {
    const { signal_type, error_class, id, ids, ...same } = part ?? {};
    add(filter, same);
    if (signal_type) add(filter, { type: signal_type });
    if (error_class) add(filter, { class: error_class });
    if (id) add(filter, { ids: [id.toLowerCase()] });
    if (ids) add(filter, { ids: ids.map((one) => one.toLowerCase()) });
  }
  return filter;
}

function add(filter: DeadLetterFilter, part: DeadLetterFilter): void {
  const twice = Object.keys(part).find((name) => Object.hasOwn(filter, name));
  if (twice) {
    const { [twice]: names = `/${twice}` } = NAMES;
    throw new ApiError('INVALID_REQUEST', `${names} is given twice: in query or body, and once.`);
  }
  Object.assign(filter, part);
}

function uuidOf(req: Request): string {
  const id = idOf(req);
  checkId(id);
  return id;
}

/** Leaves out the fields of a redrive job that only kanban needs. */
function publicJob(job: RedriveJob): object {
  const { v: _v, up_to_seq: _s, phase: _p, probing: _g, owner: _o, lease_until: _l, ...rest } = job;
  return { ...rest, remaining: Math.max(0, rest.matched - rest.redriven - rest.skipped) };
}
