/** The facts by which a worker decides how many cards of a type it should lease. */
export interface CardPosition {
  /** Cards of the type, fleet-wide. */
  limit: number;
  /** Leased by this worker, and by all. */
  mine: number;
  leased: number;
  /** Signals of the type in this worker's hands: each needs a card until it is recorded. */
  claimed: number;
  slots: number;
  /** This worker could start one more now. */
  ready: boolean;
  /** Other workers that could. */
  readyOthers: number;
}

/** Taken at once of what is free: workers that ask at the same moment get some each, in few writes. */
const FREE_SHARE_PER_WRITE = 1 / 4;

/**
 * How many cards a worker should hold. Pure. A card lies where it can be used: while others have a free slot, a worker
 * without one gives up what it does not use, and one that has takes no more than an even share. When nobody has a free
 * slot cards stay where they are, so that the type gets its turn as slots become free.
 */
export function cardShare({ limit, mine, leased, claimed, slots, ready, readyOthers }: CardPosition): number {
  const share = Math.ceil(limit / (readyOthers + 1));
  const most = readyOthers === 0 ? slots : ready ? Math.min(slots, share) : 0;
  const free = limit - leased;
  const change = Math.min(most - mine, free > 0 ? Math.ceil(free * FREE_SHARE_PER_WRITE) : free);
  // What runs has its card even when there are fewer of them by now.
  return Math.max(claimed, mine + change);
}

/**
 * How many of its cards a worker may use. Pure. With a free slot that is also what it holds above its even share: until
 * another has taken it, a card is of more use here than nowhere. Never what is above the limit.
 */
export function usableCards(standing: CardPosition): number {
  const { limit, mine, leased, slots, ready } = standing;
  if (!ready) return Math.min(mine, cardShare(standing));
  return Math.max(0, Math.min(slots, mine, mine + limit - leased));
}
