import type { Bus } from '@tps/bus';
import type { ReplyOf, RequestOf } from '@tps/contracts';
import { requestService } from '../request-service';
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
  cards(request: RequestOf<'cards'>): Promise<ReplyOf<'cards'>> {
    this.types.assertKnown(request.signal_type);
    return requestService(this.bus, 'cards', request, { limitMs: LIMIT_MS });
  }

  /** @throws ApiError */
  rate(request: RequestOf<'rate'>): Promise<ReplyOf<'rate'>> {
    this.types.assertKnown(request.signal_type);
    return requestService(this.bus, 'rate', request, { limitMs: LIMIT_MS });
  }
}
