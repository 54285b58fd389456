import { CapacityError } from '@tps/worker';

export interface PlacesLimits {
  /** How many may use it at once. */
  places: number;
  /** How many may wait for a place. */
  queue: number;
  /** The longest wait, in milliseconds; nobody waits when no place has changed hands for as long. */
  waitMs: number;
}

/**
 * Bounds how many signals use something scarce at once. A signal that finds no place waits for a moment and is then
 * given back, so that it does not hold a slot of the worker in which others could run.
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

  /** The place goes to the first that waits. */
  private leave(): void {
    this.movedMs = performance.now();
    const next = this.waiting.shift();
    if (next) next();
    else this.taken -= 1;
  }
}
