import type { Signal } from '@tps/contracts';
import type { Delivery } from './lane-reader';

const KEPT_MS = 60_000;

interface Block {
  /** The last run that must not start. The removed signal may be requeued at once, as its next run. */
  run: number;
  untilMs: number;
  blocked: Delivery[];
}

/**
 * Blocks signals that are about to be removed from the queue, so that they do not run. A blocked signal keeps its lease
 * until its message is gone or the block is undone, so that it uses up no attempt if it stays in the queue.
 */
export class RemovalGuard {
  private readonly byId = new Map<string, Block>();

  /** Blocks a signal for a minute; a repeat prolongs that. */
  add(id: string, run: number): void {
    const untilMs = Date.now() + KEPT_MS;
    const { blocked = [] } = this.byId.get(id) ?? {};
    this.byId.set(id, { run, untilMs, blocked });
  }

  /** @returns whether the signal must not run; then its delivery is kept here */
  blocks({ id, run }: Pick<Signal, 'id' | 'run'>, delivery: Delivery): boolean {
    const block = this.byId.get(id);
    if (!block || run > block.run) return false;
    block.blocked.push(delivery);
    return true;
  }

  /** Undoes a block, because the signal stays in the queue. @returns the deliveries that were blocked */
  delete(id: string): Delivery[] {
    const blocked = this.byId.get(id)?.blocked ?? [];
    this.byId.delete(id);
    return blocked;
  }

  blocked(): Delivery[] {
    return [...this.byId.values()].flatMap(({ blocked }) => blocked);
  }

  /** Forgets expired blocks; called regularly. */
  sweep(): void {
    const now = Date.now();
    for (const [id, { untilMs }] of this.byId) if (untilMs < now) this.byId.delete(id);
  }
}
