import type { LostState } from '@tps/contracts';

/** By then every reader of heartbeats has seen the loss. */
const KEPT_MS = 600_000;
const MAX_KEPT = 50;

/**
 * The streams and buckets that the broker replaced by others of the same name while this process followed them. Every
 * heartbeat carries the list, so that andon can report a loss even if it was down at that time.
 */
export class StateLosses {
  private readonly losses = new Map<string, { loss: LostState; atMs: number }>();

  constructor(private readonly onLoss: (loss: LostState) => void = () => undefined) {}

  /** Adds a loss once, however many readers of the stream report it. */
  add(loss: LostState): void {
    const key = `${loss.name} ${loss.life} ${loss.gone ?? false}`;
    if (this.losses.has(key)) return;
    this.losses.set(key, { loss, atMs: Date.now() });
    const [oldest] = this.losses.keys();
    if (this.losses.size > MAX_KEPT && oldest !== undefined) this.losses.delete(oldest);
    this.onLoss(loss);
  }

  /** The losses of the last ten minutes. */
  recent(nowMs = Date.now()): LostState[] {
    for (const [key, { atMs }] of this.losses) if (nowMs - atMs > KEPT_MS) this.losses.delete(key);
    return [...this.losses.values()].map(({ loss }) => loss);
  }
}
