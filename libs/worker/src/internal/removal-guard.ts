import type { Signal } from '@tps/contracts';
import type { Delivery } from './lane-reader';

const KEPT_MS = 60_000;

interface Block {
  /** The last run that must not run: what was taken out may be run again at once. */
  run: number;
  untilMs: number;
  blocked: Delivery[];
}

/**
 * Ids that are about to be removed from the queue: their signals must not run. It is blocked, with its lease
 * renewed, until its message is gone or the refusal is taken back: so that it costs no attempt if it stays.
 */
export class RemovalGuard {
  private readonly refusals = new Map<string, Block>();

  /** Said again it holds for longer. */
  add(id: string, run: number): void {
    const untilMs = Date.now() + KEPT_MS;
    const { blocked = [] } = this.refusals.get(id) ?? {};
    this.refusals.set(id, { run, untilMs, blocked });
  }

  /** @returns whether this must not run; then it is kept here */
  blocks({ id, run }: Pick<Signal, 'id' | 'run'>, delivered: Delivery): boolean {
    const refusal = this.refusals.get(id);
    if (!refusal || run > refusal.run) return false;
    refusal.blocked.push(delivered);
    return true;
  }

  /** It was not taken out after all. Returns what was blocked. */
  delete(id: string): Delivery[] {
    const blocked = this.refusals.get(id)?.blocked ?? [];
    this.refusals.delete(id);
    return blocked;
  }

  blocked(): Delivery[] {
    return [...this.refusals.values()].flatMap((refusal) => refusal.blocked);
  }

  /** Forgets those that are long gone; called now and then. */
  sweep(): void {
    const now = Date.now();
    for (const [id, { untilMs }] of this.refusals) if (untilMs < now) this.refusals.delete(id);
  }
}
