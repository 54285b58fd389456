import type { ServerResponse } from 'node:http';
import type { Static } from '@sinclair/typebox';
import type { Bus } from '@tps/bus';
import type { LetterFilter, Redrive, ReplyOf, RequestName, RequestOf } from '@tps/contracts';
import { v7 as uuidv7 } from 'uuid';
import type * as schemas from '../api/schemas';
import type { Handlers } from '../app';
import { requestService } from '../request-service';
import { preferences } from '../prefer';
import { ApiError, sendJson } from '../problem';
import { checkId } from './signal-view';

type Names =
  'deadLetters' | 'deadLetter' | 'redriveDead' | 'purgeDead' | 'redrives' | 'redrive' | 'cancelRedrive';

/** The names by which clients may give the same part of a filter. */
const NAMES: Record<string, string> = {
  type: '/type or /signal_type',
  class: '/class or /error_class',
  ids: '/id or /ids',
};
const ASK_LIMIT_MS = 10_000;
const DEFAULT_WAIT_MS = 10_000;
/** kanban holds an answer no longer than this. */
const WAIT_SLICE_MS = 20_000;

/** Asks kanban. */
class KanbanDesk {
  constructor(private readonly bus: Bus) {}

  /** @throws ApiError UNAVAILABLE */
  ask<N extends RequestName>(name: N, request: RequestOf<N>, limitMs = ASK_LIMIT_MS): Promise<ReplyOf<N>> {
    return requestService(this.bus, name, request, { limitMs });
  }

  /** @throws ApiError NOT_FOUND */
  async redrive(request: RequestOf<'redrive'>): Promise<Redrive> {
    const limitMs = ASK_LIMIT_MS + (request.wait_ms ?? 0);
    const { redrive } = await this.ask('redrive', request, limitMs);
    if (!redrive) throw new ApiError('NOT_FOUND', `There is no redrive ${request.id}.`);
    return redrive;
  }

  /** How it is at its end, or after the wait; when kanban is away meanwhile, what was known last. */
  async ended(first: Redrive, waitMs: number, res: ServerResponse): Promise<Redrive> {
    const until = Date.now() + waitMs;
    let redrive = first;
    while (redrive.state === 'running' && Date.now() < until && !res.destroyed) {
      const wait_ms = Math.min(until - Date.now(), WAIT_SLICE_MS);
      const next = await this.redrive({ id: redrive.id, wait_ms }).catch(() => null);
      if (!next) break;
      redrive = next;
    }
    return redrive;
  }
}

/** What is asked about dead letters and redrives. */
export function deadLetterHandlers(bus: Bus): Pick<Handlers, Names> {
  const desk = new KanbanDesk(bus);
  return {
    deadLetters: async (_req, res, { query: { limit, cursor, ...given } }) => {
      const request = { filter: filterOf(given), limit, ...(cursor ? { cursor } : {}) };
      sendJson(res, 200, await desk.ask('letters', request));
    },
    deadLetter: async (req, res) => {
      const id = idOf(req.params.id);
      const { letter } = await desk.ask('letter', { id });
      if (!letter) throw new ApiError('NOT_FOUND', `There is no dead letter of the signal ${id}.`);
      sendJson(res, 200, letter);
    },
    redriveDead: async (req, res, { body: { filter, ids, ...order } }) => {
      const { respondAsync, waitMs } = preferences(req);
      const request = { ...order, id: uuidv7(), filter: filterOf(filter, ids && { ids }) };
      const started = await desk.ask('redriveStart', request);
      if ('retired' in started) {
        throw new ApiError('UNKNOWN_SIGNAL_TYPE', `Not redriven: ${started.retired}.`);
      }
      if ('refused' in started) throw new ApiError('REDRIVES_BUSY', `${started.refused}: try again later.`);
      if ('dry_run' in started) return sendJson(res, 200, started);
      const redrive = await desk.ended(started.redrive, respondAsync ? 0 : waitMs || DEFAULT_WAIT_MS, res);
      if (!res.destroyed) res.setHeader('location', `/kanban/redrives/${redrive.id}`);
      sendJson(res, 202, publicView(redrive));
    },
    purgeDead: async (_req, res, { query, body }) => {
      const filter = filterOf(query, body?.filter, body?.ids && { ids: body.ids });
      if (Object.keys(filter).length === 0) {
        const allowed = 'type, status, class, fingerprint, since, until, id';
        throw new ApiError('INVALID_REQUEST', `Deleting dead letters needs a filter: one of ${allowed}.`);
      }
      sendJson(res, 200, await desk.ask('purge', { filter }));
    },
    redrives: async (_req, res) => {
      const { redrives } = await desk.ask('redrives', {});
      sendJson(res, 200, { items: redrives.map(publicView) });
    },
    redrive: async (req, res) => {
      const { waitMs } = preferences(req);
      const first = await desk.redrive({ id: idOf(req.params.id) });
      sendJson(res, 200, publicView(await desk.ended(first, waitMs, res)));
    },
    cancelRedrive: async (req, res) => {
      sendJson(res, 200, publicView(await desk.redrive({ id: idOf(req.params.id), cancel: true })));
    },
  };
}

type Given = Static<typeof schemas.LetterFilter> & { id?: string };

/**
 * Combines the deps of a filter from query and body. Each narrows the selection.
 * @throws ApiError INVALID_REQUEST when two deps have the same name: one of them would be ignored
 */
function filterOf(...given: (Given | undefined)[]): LetterFilter {
  const filter: LetterFilter = {};
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

function add(filter: LetterFilter, part: LetterFilter): void {
  const twice = Object.keys(part).find((name) => Object.hasOwn(filter, name));
  if (twice) {
    const { [twice]: names = `/${twice}` } = NAMES;
    throw new ApiError('INVALID_REQUEST', `${names} is given twice: in query or body, and once.`);
  }
  Object.assign(filter, part);
}

function idOf(given: unknown): string {
  const id = String(given).toLowerCase();
  checkId(id);
  return id;
}

/** A redrive without what only kanban needs. */
function publicView(redrive: Redrive): object {
  const { v: _v, up_to_seq: _s, phase: _p, probing: _g, owner: _o, lease_until: _l, ...rest } = redrive;
  return { ...rest, remaining: Math.max(0, rest.matched - rest.redriven - rest.skipped) };
}
