import type { KvView } from '@tps/bus';
import {
  rateKey,
  type RecordOf,
  type ReplyOf,
  type RequestOf,
  SCHEDULE_KEY,
  type ScheduleRecord,
  typeOfRateKey,
  WIRE_VERSION,
} from '@tps/contracts';
import type { FleetView } from '@tps/service';
import { isWorthWriting, type Plan, scheduleOf } from './level-schedule';

/**
 * Writes the schedule that all workers follow. Only the oldest living replica does: each has its own average of what it
 * heard, and two would write against one another. Should two take themselves for it, the compare-and-set decides.
 */
export class Scheduler {
  constructor(
    private readonly view: KvView<RecordOf<'schedule'>>,
    private readonly fleet: FleetView,
    private readonly instance: string,
  ) {}

  get current(): ScheduleRecord | null {
    const record = this.view.get(SCHEDULE_KEY);
    return record && 'demand' in record ? record : null;
  }

  /** So that workers always find one. An older one stays: it is a better guess than none. */
  async begin(nowMs: number): Promise<void> {
    if (!this.current) await this.view.swap(SCHEDULE_KEY, scheduleOf({ weights: {}, cards: {} }, nowMs), 0);
  }

  async update(plan: Plan, nowMs: number): Promise<void> {
    const { current } = this;
    if (!this.isOldest() || (current && !isWorthWriting(current, plan))) return;
    const revision = this.view.entry(SCHEDULE_KEY)?.revision ?? 0;
    await this.view.swap(SCHEDULE_KEY, scheduleOf(plan, nowMs), revision);
  }

  /** Signals that may start per second, of types that people levelled. */
  rates(): Record<string, number> {
    const rates: Record<string, number> = {};
    for (const key of this.view.keys()) {
      const type = typeOfRateKey(key);
      const record = this.view.get(key);
      if (type !== undefined && record && 'max_per_s' in record) rates[type] = record.max_per_s;
    }
    return rates;
  }

  async level({ signal_type, max_per_s }: RequestOf<'rate'>): Promise<ReplyOf<'rate'>> {
    if (max_per_s === null) await this.view.remove(rateKey(signal_type));
    else {
      const set_at = new Date().toISOString();
      await this.view.put(rateKey(signal_type), { v: WIRE_VERSION, signal_type, max_per_s, set_at });
    }
    return { signal_type, max_per_s };
  }

  /** Removes what people and the schedule say of a type. */
  async retire(type: string): Promise<void> {
    await this.view.remove(rateKey(type));
    await this.view.update(SCHEDULE_KEY, (value) => {
      const schedule = value as ScheduleRecord | undefined;
      const named = schedule && (type in schedule.demand || type in (schedule.cards ?? {}));
      if (!named) return null;
      const { [type]: _weight, ...demand } = schedule.demand;
      const { [type]: _cards, ...cards } = schedule.cards ?? {};
      return { ...schedule, demand, cards };
    });
  }

  private isOldest(): boolean {
    const replicas = this.fleet.of('heijunka');
    const age = ({ started_at, instance }: (typeof replicas)[number]): string => `${started_at} ${instance}`;
    const oldest = replicas.reduce<(typeof replicas)[number] | undefined>(
      (old, beat) => (old && age(old) <= age(beat) ? old : beat),
      undefined,
    );
    return !oldest || oldest.instance === this.instance;
  }
}
