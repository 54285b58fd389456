import { type KvView, openView, restoreMissing } from '@tps/bus';
import {
  cardsLease,
  rateKey,
  rateLease,
  type RecordOf,
  type ReplyOf,
  type RequestOf,
  SCHEDULE_KEY,
  type TypeCards,
  WIRE_VERSION,
} from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';

type Holders = Record<string, { in_hand: number; cards?: number }>;

/** The card limits of all types, and the workers that lease the cards. */
export class CardLimits {
  private constructor(
    private readonly fleet: FleetView,
    private readonly cards: KvView<RecordOf<'cards'>>,
    private readonly leases: KvView<RecordOf<'leases'>>,
    private readonly schedule: KvView<RecordOf<'schedule'>>,
  ) {}

  static async open({ bus, config, log }: ServiceContext, fleet: FleetView): Promise<CardLimits> {
    const onError = (error: unknown): void => void log.error('bucket', { error });
    const options = { replicas: config.TPS_NATS_REPLICAS, onError };
    return new CardLimits(
      fleet,
      await openView(bus, 'cards', { ...options, restore: restoreMissing }),
      await openView(bus, 'leases', options),
      await openView(bus, 'schedule', options),
    );
  }

  /** Sets the limit of a type, or removes it with null. */
  async set({ signal_type, cards }: RequestOf<'cards'>): Promise<ReplyOf<'cards'>> {
    if (cards === null) await this.cards.remove(signal_type);
    else {
      const set_at = new Date().toISOString();
      await this.cards.put(signal_type, { v: WIRE_VERSION, signal_type, cards, set_at });
    }
    return { signal_type, ...this.of(signal_type) };
  }

  /** Removes the limit of a retired type, and the leases that lost workers left. */
  async retire(type: string): Promise<void> {
    await this.cards.remove(type);
    for (const key of [cardsLease(type), rateLease(type)]) await this.leases.remove(key);
  }

  /** The limit as it was set, its present value and the advice of heijunka. */
  of(type: string): TypeCards {
    const cards = this.cards.get(type)?.cards ?? 'default';
    const schedule = this.schedule.get(SCHEDULE_KEY);
    const advice = (schedule && 'demand' in schedule && schedule.cards?.[type]) || null;
    const limit = cards === 'auto' ? advice : cards === 'default' ? null : cards;
    return { cards, limit: limit ?? this.slots(type), advice };
  }

  /** The limits that people have set on a type; absent fields are no limit. */
  limitsOf(type: string): { cards?: number; max_per_s?: number } {
    const rate = this.schedule.get(rateKey(type));
    return {
      ...(this.cards.get(type) ? { cards: this.of(type).limit } : {}),
      ...(rate && 'max_per_s' in rate ? { max_per_s: rate.max_per_s } : {}),
    };
  }

  /** The workers that claim signals of a type or lease its cards. */
  holders(type: string): Holders {
    const holders: Holders = {};
    for (const { instance, vitals } of this.fleet.of('worker')) {
      const in_hand = vitals.in_hand[type] ?? 0;
      if (in_hand > 0) holders[instance] = { in_hand };
    }
    for (const [worker, { held }] of Object.entries(this.leases.get(cardsLease(type))?.holders ?? {})) {
      holders[worker] = { in_hand: 0, ...holders[worker], cards: held };
    }
    return holders;
  }

  close(): void {
    for (const view of [this.cards, this.leases, this.schedule]) view.close();
  }

  private slots(type: string): number {
    const serving = this.fleet.of('worker').filter(({ vitals }) => vitals.types.includes(type));
    return serving.reduce((sum, { vitals }) => sum + vitals.slots, 0);
  }
}
