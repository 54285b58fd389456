/** What a worker knows when it decides how many cards of a type it should hold. */
export interface Standing {
  /** Cards of the type, fleet-wide. */
  limit: number;
  /** Held by this worker, and by all. */
  mine: number;
  leased: number;
  /** Signals of the type in this worker's hands: each needs a card until it is recorded. */
  inHand: number;
  slots: number;
  /** This worker could start one more now. */
  ready: boolean;
  /** Other workers that could. */
  readyOthers: number;
}

/** Taken at once of what is free: workers that ask at the same moment get some each, in few writes. */
const BITE = 1 / 4;

/**
 * How many cards a worker should hold. Pure. A card lies where it can be used: while others have a free slot, a worker
 * without one gives up what it does not use, and one that has takes no more than an even share. When nobody has a free
 * slot cards stay where they are, so that the type gets its turn as slots become free.
 */
export function allotment({ limit, mine, leased, inHand, slots, ready, readyOthers }: Standing): number {
  const share = Math.ceil(limit / (readyOthers + 1));
  const most = readyOthers === 0 ? slots : ready ? Math.min(slots, share) : 0;
  const free = limit - leased;
  const change = Math.min(most - mine, free > 0 ? Math.ceil(free * BITE) : free);
  // What runs has its card even when there are fewer of them by now.
  return Math.max(inHand, mine + change);
}

/**
 * How many of its cards a worker may use. Pure. With a free slot that is also what it holds above its even share: until
 * another has taken it, a card is of more use here than nowhere. Never what is above the limit.
 */
export function usable(standing: Standing): number {
  const { limit, mine, leased, slots, ready } = standing;
  if (!ready) return Math.min(mine, allotment(standing));
  return Math.max(0, Math.min(slots, mine, mine + limit - leased));
}
