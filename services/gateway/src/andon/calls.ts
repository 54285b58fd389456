import type { Static } from '@sinclair/typebox';
import type { Bus } from '@tps/bus';
import {
  type AcknowledgeRequest,
  type AndonCall,
  type AndonEvent,
  type CallReply,
  type HistoryReply,
  type HistoryRequest,
  type PullRequest,
  type ResumeRequest,
} from '@tps/contracts';
import type { CordRequest, HistoryQuery } from '../api/schemas';
import { askService } from '../ask';
import { ApiError } from '../problem';
import type { SignalTypes } from '../signals/signal-types';

/** andon asks jidoka and writes before it answers. */
const LIMIT_MS = 5_000;
const NOBODY = 'unknown';

const REFUSALS = { not_found: 'NOT_FOUND', closed: 'CALL_CLOSED', unavailable: 'UNAVAILABLE' } as const;

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
    const request: PullRequest = { ...body, by: body.by ?? caller };
    return this.call(this.bus.names.subjects.pull, request);
  }

  acknowledge(request: AcknowledgeRequest): Promise<AndonCall> {
    return this.call(this.bus.names.subjects.acknowledge, request);
  }

  resume(request: ResumeRequest): Promise<AndonCall> {
    return this.call(this.bus.names.subjects.resume, request);
  }

  async history({ type, station, ...rest }: Static<typeof HistoryQuery>): Promise<object> {
    if (type && station) throw new ApiError('INVALID_REQUEST', 'Ask for a type or a station, not for both.');
    const line = type ?? (station && `station:${station}`);
    const request: HistoryRequest = { ...rest, ...(line ? { line } : {}) };
    const { items, next } = await this.ask<HistoryReply>(this.bus.names.subjects.history, request);
    return { items: items.map(plain), next };
  }

  private async call(subject: string, request: object): Promise<AndonCall> {
    const reply = await this.ask<CallReply>(subject, request);
    if ('call' in reply) return reply.call;
    throw new ApiError(REFUSALS[reply.refused], reply.reason);
  }

  private ask<R>(subject: string, request: object): Promise<R> {
    return askService<R>(this.bus, 'andon', { subject, request, limitMs: LIMIT_MS });
  }
}

/** An event without what only the fleet needs. That there is no trace behind it is said, too. */
export function plain({ v: _v, trace_id = null, ...event }: WithTrace): object {
  return { ...event, trace_id };
}
type WithTrace = Omit<AndonEvent, 'trace_id'> & { trace_id?: string | null };
