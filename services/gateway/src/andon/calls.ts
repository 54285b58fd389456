import type { Bus } from '@tps/bus';
import { type AndonCall, type AndonEvent, lineName, type RequestOf } from '@tps/contracts';
import type { Access } from '../access';
import { type Handlers, idOf } from '../api/handlers';
import { ApiError, sendJson } from '../problem';
import { requestService } from '../request-service';
import type { SignalTypes } from '../signals/signal-types';

/** andon asks jidoka and stores the call before it answers. */
const LIMIT_MS = 5_000;
const NOBODY = 'unknown';

const CALL_ERRORS = {
  not_found: 'NOT_FOUND',
  closed: 'CALL_CLOSED',
  unavailable: 'UNAVAILABLE',
  same_countermeasure: 'SAME_COUNTERMEASURE',
} as const;

type CallOperations = 'pullCord' | 'acknowledgeCall' | 'resumeLine' | 'andonHistory' | 'andonCharts';

/** Pulls the cord, answers calls, and reads the history and the charts. */
export function callHandlers(bus: Bus, types: SignalTypes, access: Access): Pick<Handlers, CallOperations> {
  async function call<N extends 'pull' | 'acknowledge' | 'resume'>(
    name: N,
    request: RequestOf<N>,
  ): Promise<AndonCall> {
    const reply = await requestService(bus, name, request, { limitMs: LIMIT_MS });
    if ('call' in reply) return reply.call;
    throw new ApiError(CALL_ERRORS[reply.refused], reply.reason);
  }
  return {
    pullCord: async (req, res, { body }) => {
      types.assertKnown(body.signal_type);
      const by = body.by ?? access.nameOf(req) ?? NOBODY;
      sendJson(res, 201, await call('pull', { ...body, by }));
    },
    acknowledgeCall: async (req, res, { body }) =>
      sendJson(res, 200, await call('acknowledge', { id: idOf(req), ...body })),
    resumeLine: async (req, res, { body }) =>
      sendJson(res, 200, await call('resume', { id: idOf(req), ...body })),
    andonCharts: async (_req, res, { query }) =>
      sendJson(res, 200, await requestService(bus, 'charts', query, { limitMs: LIMIT_MS })),
    andonHistory: async (_req, res, { query: { type, station, ...rest } }) => {
      if (type && station)
        throw new ApiError('INVALID_REQUEST', 'Ask for a type or a station, not for both.');
      const line = type ?? (station && lineName({ kind: 'station', name: station }));
      const request = { ...rest, ...(line ? { line } : {}) };
      const { items, next } = await requestService(bus, 'history', request, { limitMs: LIMIT_MS });
      sendJson(res, 200, { items: items.map(publicEvent), next });
    },
  };
}

/**
 * Leaves out the fields that only the fleet needs. An event without a trace has `trace_id: null`; a call that was resumed
 * and never acknowledged has `acknowledge_ms: null`.
 */
export function publicEvent({ v: _v, trace_id = null, ...event }: WithTrace): object {
  const isUnanswered = event.event === 'resumed' && event.acknowledge_ms === undefined;
  return { ...event, ...(isUnanswered ? { acknowledge_ms: null } : {}), trace_id };
}
type WithTrace = Omit<AndonEvent, 'trace_id'> & { trace_id?: string | null };
