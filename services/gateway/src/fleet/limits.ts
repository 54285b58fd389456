import type { Bus } from '@tps/bus';
import type { CardsReply, CardsRequest, RateRequest } from '@tps/contracts';
import { askService } from '../ask';
import type { SignalTypes } from '../signals/signal-types';

/** They write before they answer. */
const LIMIT_MS = 5_000;

/** Limits that people set on a type, handed on to the service that keeps them. */
export class TypeLimits {
  constructor(
    private readonly bus: Bus,
    private readonly types: SignalTypes,
  ) {}

  /** @throws ApiError */
  cards(request: CardsRequest): Promise<CardsReply> {
    this.types.assertKnown(request.signal_type);
    const { cards } = this.bus.names.subjects;
    return askService<CardsReply>(this.bus, 'kanban', { subject: cards, request, limitMs: LIMIT_MS });
  }

  /** @throws ApiError */
  rate(request: RateRequest): Promise<RateRequest> {
    this.types.assertKnown(request.signal_type);
    const { rate } = this.bus.names.subjects;
    return askService<RateRequest>(this.bus, 'heijunka', { subject: rate, request, limitMs: LIMIT_MS });
  }
}
