import { CapacityError } from '@tps/worker';

export interface PlacesLimits {
  /** The number of places. */
  places: number;
  /** The number of signals that may wait for a place. */
  queue: number;
  /** The longest wait, in milliseconds. No signal waits if no place has changed hands for this time. */
  waitMs: number;
}

/**
 * Bounds how many signals use a scarce resource at once. A signal that finds no place waits briefly and is then released,
 * so that it does not block a slot that others could use.
 */
export class Places {
  private taken = 0;
  private movedMs = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(
    private readonly what: string,
    private readonly limits: PlacesLimits,
  ) {}

  /** @throws CapacityError when there is no place */
  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.taken < this.limits.places) this.taken += 1;
    else await this.turn();
    this.movedMs = performance.now();
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  private turn(): Promise<void> {
    const { places, queue, waitMs } = this.limits;
    const full = new CapacityError(`all ${places} places for ${this.what} are taken`);
    const stuck = performance.now() - this.movedMs > waitMs;
    if (stuck || this.waiting.length >= queue) return Promise.reject(full);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(enter), 1);
        reject(full);
      }, waitMs);
      const enter = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.waiting.push(enter);
    });
  }

  /** Gives the place to the first signal that waits. */
  private leave(): void {
    this.movedMs = performance.now();
    const next = this.waiting.shift();
    if (next) next();
    else this.taken -= 1;
  }
}
