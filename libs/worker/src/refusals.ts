import type { Signal } from '@tps/contracts';
import type { Delivered } from './lanes';

const KEPT_MS = 60_000;

interface Refusal {
  /** The last run that must not run: what was taken out may be run again at once. */
  run: number;
  untilMs: number;
  withheld: Delivered[];
}

/**
 * Ids that are about to be taken out of the queue: what comes of them must not run. It is withheld, with its lease
 * renewed, until its message is gone or the refusal is taken back: so that it costs no attempt if it stays.
 */
export class Refusals {
  private readonly refusals = new Map<string, Refusal>();

  /** Said again it holds for longer. */
  add(id: string, run: number): void {
    const untilMs = Date.now() + KEPT_MS;
    const { withheld = [] } = this.refusals.get(id) ?? {};
    this.refusals.set(id, { run, untilMs, withheld });
  }

  /** @returns whether this must not run; then it is kept here */
  withholds({ id, run }: Pick<Signal, 'id' | 'run'>, delivered: Delivered): boolean {
    const refusal = this.refusals.get(id);
    if (!refusal || run > refusal.run) return false;
    refusal.withheld.push(delivered);
    return true;
  }

  /** It was not taken out after all. Returns what was withheld. */
  delete(id: string): Delivered[] {
    const withheld = this.refusals.get(id)?.withheld ?? [];
    this.refusals.delete(id);
    return withheld;
  }

  withheld(): Delivered[] {
    return [...this.refusals.values()].flatMap((refusal) => refusal.withheld);
  }

  /** Forgets those that are long gone; called now and then. */
  sweep(): void {
    const now = Date.now();
    for (const [id, { untilMs }] of this.refusals) if (untilMs < now) this.refusals.delete(id);
  }
}
