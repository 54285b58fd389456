import { type Bus, managerOf } from '@tps/bus';
import { laneName, type WaitingSignals } from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import type { CardLimits } from './card-limits';
import type { LaneCounts, QueueStats } from './queue-stats';

/** The most lanes that are read in one second. With more of them, each has its turn every few seconds. */
const MAX_READS = 100;
const READ_LIMIT = { timeout: 1_000 };

/** Knows how long the oldest pending signal of each lane has waited: one read a second for each lane with pending signals. */
export class OldestWaiting {
  /** By lane: when its oldest pending message was stored. */
  private readonly storedMs = new Map<string, number>();
  private next = 0;

  constructor(
    private readonly bus: Bus,
    private readonly deps: { queue: QueueStats; lines: LineView; cards: CardLimits },
  ) {}

  /** Called every second. */
  async tick(): Promise<void> {
    const waiting = this.waitingLanes();
    const names = new Set(waiting.map(({ type, priority }) => laneName(type, priority)));
    for (const name of this.storedMs.keys()) if (!names.has(name)) this.storedMs.delete(name);
    if (this.next >= waiting.length) this.next = 0;
    const lanes = waiting.slice(this.next, this.next + MAX_READS);
    this.next += MAX_READS;
    await Promise.all(lanes.map((lane) => this.read(lane)));
  }

  /** The waiting signals of all lines that run, by type. */
  byType(nowMs: number): Record<string, WaitingSignals> {
    const { lines, cards } = this.deps;
    const types: Record<string, WaitingSignals> = {};
    for (const { type, priority, waiting } of this.waitingLanes()) {
      const entry = (types[type] ??= { signals: 0, ...cards.limitsOf(type) });
      entry.signals += waiting;
      const storedMs = this.storedMs.get(laneName(type, priority));
      if (storedMs === undefined) continue;
      const ms = Math.max(0, nowMs - storedMs - lines.pausedMs(type, storedMs, nowMs));
      entry.oldest_ms = Math.max(entry.oldest_ms ?? 0, ms);
    }
    return types;
  }

  private waitingLanes(): LaneCounts[] {
    const { queue, lines } = this.deps;
    return Object.values(queue.lanes).filter(
      ({ type, waiting }) => waiting > 0 && lines.state(type) === 'Closed',
    );
  }

  private async read({ type, priority }: LaneCounts): Promise<void> {
    const { bus } = this;
    const name = laneName(type, priority);
    const jsm = await managerOf(bus, READ_LIMIT);
    const seq = (this.deps.queue.delivered.get(name) ?? 0) + 1;
    const query = { seq, next_by_subj: bus.names.subjects.work(type, priority, '*') };
    const message = await jsm.direct.getMessage(bus.names.streams.kanban, query).catch(() => null);
    // A worker may have taken it since the counts were read.
    if (message) this.storedMs.set(name, message.time.getTime());
    else this.storedMs.delete(name);
  }
}
