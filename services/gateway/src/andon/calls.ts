import type { Static } from '@sinclair/typebox';
import type { Bus } from '@tps/bus';
import { type AndonCall, type AndonEvent, lineName, type RequestOf } from '@tps/contracts';
import type { CordRequest, HistoryQuery } from '../api/schemas';
import { requestService } from '../request-service';
import { ApiError } from '../problem';
import type { SignalTypes } from '../signals/signal-types';

/** andon asks jidoka and writes before it answers. */
const LIMIT_MS = 5_000;
const NOBODY = 'unknown';

const CALL_ERRORS = { not_found: 'NOT_FOUND', closed: 'CALL_CLOSED', unavailable: 'UNAVAILABLE' } as const;

/** What people do at the andon, handed on to the service. */
export class AndonCalls {
  constructor(
    private readonly bus: Bus,
    private readonly types: SignalTypes,
  ) {}

  /**
   * @param caller who pulls, unless the body says so
   * @throws ApiError
   */
  pull(body: Static<typeof CordRequest>, caller = NOBODY): Promise<AndonCall> {
    this.types.assertKnown(body.signal_type);
    return this.call('pull', { ...body, by: body.by ?? caller });
  }

  acknowledge(request: RequestOf<'acknowledge'>): Promise<AndonCall> {
    return this.call('acknowledge', request);
  }

  resume(request: RequestOf<'resume'>): Promise<AndonCall> {
    return this.call('resume', request);
  }

  async history({ type, station, ...rest }: Static<typeof HistoryQuery>): Promise<object> {
    if (type && station) throw new ApiError('INVALID_REQUEST', 'Ask for a type or a station, not for both.');
    const line = type ?? (station && lineName({ kind: 'station', name: station }));
    const request = { ...rest, ...(line ? { line } : {}) };
    const { items, next } = await requestService(this.bus, 'history', request, { limitMs: LIMIT_MS });
    return { items: items.map(plain), next };
  }

  private async call<N extends 'pull' | 'acknowledge' | 'resume'>(
    name: N,
    request: RequestOf<N>,
  ): Promise<AndonCall> {
    const reply = await requestService(this.bus, name, request, { limitMs: LIMIT_MS });
    if ('call' in reply) return reply.call;
    throw new ApiError(CALL_ERRORS[reply.refused], reply.reason);
  }
}

/** An event without what only the fleet needs. That there is no trace behind it is said, too. */
export function plain({ v: _v, trace_id = null, ...event }: WithTrace): object {
  return { ...event, trace_id };
}
type WithTrace = Omit<AndonEvent, 'trace_id'> & { trace_id?: string | null };
