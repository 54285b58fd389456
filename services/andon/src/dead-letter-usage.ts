import { managerOf } from '@tps/bus';
import type { ServiceContext } from '@tps/service';

const MEASURE_MS = 10_000;
/** A stream at least this full is measured again even if no dead letter was added, until a purge has made room. */
const NEARLY_FULL_PERCENT = 80;

/** How full the stream of dead letters is. Asks the broker only when that may have changed. */
export class DeadLetterUsage {
  percent = 0;
  private changed = true;
  private measuredMs = 0;

  constructor(private readonly context: ServiceContext) {}

  /** Another signal has failed or expired. */
  markChanged(): void {
    this.changed = true;
  }

  async measure(nowMs: number): Promise<void> {
    const due = this.changed || this.percent >= NEARLY_FULL_PERCENT;
    if (!due || nowMs - this.measuredMs < MEASURE_MS) return;
    this.measuredMs = nowMs;
    const { bus } = this.context;
    const jsm = await managerOf(bus);
    const { config, state } = await jsm.streams.info(bus.names.streams.dead);
    const shares = [share(state.bytes, config.max_bytes), share(state.messages, config.max_msgs)];
    this.percent = Math.round(100 * Math.max(...shares));
    this.changed = false;
  }
}

/** The broker says -1 for no limit. */
function share(used: number, limit: number): number {
  return limit > 0 ? used / limit : 0;
}
