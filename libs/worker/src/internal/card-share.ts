/** The facts by which a worker decides how many cards of a type it should lease. */
export interface CardPosition {
  /** Cards of the type, fleet-wide. */
  limit: number;
  /** Leased by this worker, and by all. */
  mine: number;
  leased: number;
  /** Signals of the type that this worker claims. Each needs a card until it is recorded. */
  claimed: number;
  slots: number;
  /** This worker could start another signal now. */
  ready: boolean;
  /** Number of other workers that could. */
  readyOthers: number;
}

/** The part of the free cards that one write takes, so that workers that ask at the same moment all get some. */
const FREE_SHARE_PER_WRITE = 1 / 4;

/**
 * Computes how many cards a worker should lease. Pure. Cards go where they can be used: while others have a free slot, a
 * worker without a free slot gives up its unused cards, and a worker with one takes no more than an even share. When no
 * worker has a free slot, the cards stay where they are, so that the type gets its turn as slots become free.
 */
export function cardShare({ limit, mine, leased, claimed, slots, ready, readyOthers }: CardPosition): number {
  const share = Math.ceil(limit / (readyOthers + 1));
  const most = readyOthers === 0 ? slots : ready ? Math.min(slots, share) : 0;
  const free = limit - leased;
  const change = Math.min(most - mine, free > 0 ? Math.ceil(free * FREE_SHARE_PER_WRITE) : free);
  // A running signal keeps its card, even if the limit was lowered.
  return Math.max(claimed, mine + change);
}

/**
 * Computes how many of its cards a worker may use. Pure. A worker with a free slot also uses the cards above its even
 * share until another worker takes them, because an idle card helps nobody. Cards above the limit are never used.
 */
export function usableCards(position: CardPosition): number {
  const { limit, mine, leased, slots, ready } = position;
  if (!ready) return Math.min(mine, cardShare(position));
  return Math.max(0, Math.min(slots, mine, mine + limit - leased));
}
