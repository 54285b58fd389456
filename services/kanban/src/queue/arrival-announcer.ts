import { type ArrivalsMessage, WIRE_VERSION } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import { TICK_MS } from '../every-second';
import type { QueueStats } from './queue-stats';
import type { QueueWriter } from './queue-writer';

/** Announces what arrived on each lane and what waits there. Demand is measured from arrivals, not from completions. */
export class ArrivalAnnouncer {
  private wasBusy = false;

  constructor(
    private readonly context: ServiceContext,
    private readonly writer: QueueWriter,
    private readonly queue: QueueStats,
  ) {}

  /** Called every second. */
  tick(): void {
    const { bus, instance } = this.context;
    const arrivals = this.writer.takeArrivals();
    const waiting = this.queue.waiting();
    const isBusy = [arrivals, waiting].some((lanes) => Object.keys(lanes).length > 0) || this.queue.depth > 0;
    // The last announcement says that the work is gone. After that an idle kanban is silent.
    if (isBusy || this.wasBusy) {
      const message: ArrivalsMessage = { v: WIRE_VERSION, instance, interval_ms: TICK_MS, arrivals, waiting };
      bus.nc.publish(bus.names.subjects.arrivals, JSON.stringify(message));
    }
    this.wasBusy = isBusy;
  }
}
