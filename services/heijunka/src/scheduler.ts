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
import type { FleetView } from '@tps/fleet';
import { isWorthWriting, type SchedulePlan, scheduleOf } from './level-schedule';

/**
 * Writes the schedule that all workers follow. Only the oldest living replica writes, because each measures a slightly
 * different demand and two would overwrite each other. If two consider themselves the oldest, the compare-and-set decides.
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

  /** Writes an empty schedule if there is none, so that workers always find one. */
  async ensureSchedule(nowMs: number): Promise<void> {
    if (!this.current)
      await this.view.compareAndSet(SCHEDULE_KEY, scheduleOf({ weights: {}, cards: {} }, nowMs), 0);
  }

  async update(plan: SchedulePlan, nowMs: number): Promise<void> {
    const { current } = this;
    if (!this.isOldest() || (current && !isWorthWriting(current, plan))) return;
    const revision = this.view.entry(SCHEDULE_KEY)?.revision ?? 0;
    await this.view.compareAndSet(SCHEDULE_KEY, scheduleOf(plan, nowMs), revision);
  }

  /** The rates that people set, in starts per second. */
  rates(): Record<string, number> {
    const rates: Record<string, number> = {};
    for (const key of this.view.keys()) {
      const type = typeOfRateKey(key);
      const record = this.view.get(key);
      if (type !== undefined && record && 'max_per_s' in record) rates[type] = record.max_per_s;
    }
    return rates;
  }

  async setRate({ signal_type, max_per_s }: RequestOf<'rate'>): Promise<ReplyOf<'rate'>> {
    if (max_per_s === null) await this.view.remove(rateKey(signal_type));
    else {
      const set_at = new Date().toISOString();
      await this.view.put(rateKey(signal_type), { v: WIRE_VERSION, signal_type, max_per_s, set_at });
    }
    return { signal_type, max_per_s };
  }

  /** Removes the rate of a type, and the type from the schedule. */
  async retire(type: string): Promise<void> {
    await this.view.remove(rateKey(type));
    await this.view.update(SCHEDULE_KEY, (value) => {
      if (!value || !('demand' in value)) return null;
      if (!(type in value.demand) && !(type in (value.cards ?? {}))) return null;
      const { [type]: _weight, ...demand } = value.demand;
      const { [type]: _cards, ...cards } = value.cards ?? {};
      return { ...value, demand, cards };
    });
  }

  private isOldest(): boolean {
    const byAge = this.fleet
      .of('heijunka')
      .sort((a, b) => (`${a.started_at} ${a.instance}` < `${b.started_at} ${b.instance}` ? -1 : 1));
    return !byAge[0] || byAge[0].instance === this.instance;
  }
}
