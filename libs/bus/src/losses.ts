import type { LostState } from '@tps/contracts';

/** Everybody who must know has heard of a loss by then. */
const KEPT_MS = 600_000;
const MAX_KEPT = 50;

/**
 * What this process saw the broker lose: streams and buckets that were replaced by others of the same name while it
 * followed them. Every heartbeat carries the list, so that andon tells people about it, also an andon that was away.
 */
export class StateLosses {
  private readonly losses = new Map<string, { loss: LostState; atMs: number }>();

  constructor(private readonly onLoss: (loss: LostState) => void = () => undefined) {}

  /** Notes a loss once, however many readers of the stream report it. */
  add(loss: LostState): void {
    const key = `${loss.name} ${loss.life} ${loss.gone ?? false}`;
    if (this.losses.has(key)) return;
    this.losses.set(key, { loss, atMs: Date.now() });
    const [oldest] = this.losses.keys();
    if (this.losses.size > MAX_KEPT && oldest !== undefined) this.losses.delete(oldest);
    this.onLoss(loss);
  }

  recent(nowMs = Date.now()): LostState[] {
    for (const [key, { atMs }] of this.losses) if (nowMs - atMs > KEPT_MS) this.losses.delete(key);
    return [...this.losses.values()].map(({ loss }) => loss);
  }
}
