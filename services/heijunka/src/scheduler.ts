import type { KvView } from '@tps/bus';
import { SCHEDULE_KEY, type ScheduleRecord } from '@tps/contracts';
import type { FleetView } from '@tps/service';
import { isWorthWriting, scheduleOf } from './level-schedule';

/**
 * Writes the schedule that all workers follow. Only the oldest living replica does: each has its own average of what it
 * heard, and two would write against one another. Should two take themselves for it, the compare-and-set decides.
 */
export class Scheduler {
  constructor(
    private readonly view: KvView<ScheduleRecord>,
    private readonly fleet: FleetView,
    private readonly instance: string,
  ) {}

  get current(): ScheduleRecord | null {
    return this.view.get(SCHEDULE_KEY) ?? null;
  }

  /** So that workers always find one. An older one stays: it is a better guess than none. */
  async begin(nowMs: number): Promise<void> {
    if (!this.current) await this.view.swap(SCHEDULE_KEY, scheduleOf({}, nowMs), 0);
  }

  async update(weights: Readonly<Record<string, number>>, nowMs: number): Promise<void> {
    const entry = this.view.entry(SCHEDULE_KEY);
    if (!this.isOldest() || (entry && !isWorthWriting(entry.value.demand, weights))) return;
    await this.view.swap(SCHEDULE_KEY, scheduleOf(weights, nowMs), entry?.revision ?? 0);
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
