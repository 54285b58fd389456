import { managerOf } from '@tps/bus';
import type { ServiceContext } from '@tps/service';

const LOOK_MS = 10_000;
/** From here on it is looked at until there is room again. */
const TIGHT_PERCENT = 80;

/** How full the stream of dead letters is. Looked at only when something may have changed. */
export class DeadStore {
  percent = 0;
  private dirty = true;
  private lookedMs = 0;

  constructor(private readonly context: ServiceContext) {}

  /** Another signal has failed or expired. */
  grown(): void {
    this.dirty = true;
  }

  async look(nowMs: number): Promise<void> {
    const due = this.dirty || this.percent >= TIGHT_PERCENT;
    if (!due || nowMs - this.lookedMs < LOOK_MS) return;
    this.lookedMs = nowMs;
    const { bus } = this.context;
    const jsm = await managerOf(bus);
    const { config, state } = await jsm.streams.info(bus.names.streams.dead);
    const shares = [share(state.bytes, config.max_bytes), share(state.messages, config.max_msgs)];
    this.percent = Math.round(100 * Math.max(...shares));
    this.dirty = false;
  }
}

/** The broker says -1 for no limit. */
function share(used: number, limit: number): number {
  return limit > 0 ? used / limit : 0;
}
