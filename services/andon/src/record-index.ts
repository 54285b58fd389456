import { TwoGenerationMap } from '@tps/fleet';

/** Where the log has one outcome of a signal. */
export interface Position {
  seq: number;
  /** Place in the message's array. */
  index: number;
  final: boolean;
}

/** More outcomes than fit into a message of the broker's size limit. */
const MAX_INDEX = 16_384;

/** Where an outcome is in the log, as one number that grows with it. */
export function placeOf(seq: number, index: number): number {
  return seq * MAX_INDEX + index;
}

export function positionAt(place: number): Omit<Position, 'final'> {
  return { seq: Math.floor(place / MAX_INDEX), index: place % MAX_INDEX };
}

/**
 * Where the outcomes of the latest 100k to 200k signals are in the log. A position is packed into one number: that is a
 * fifth of what the record itself would take, and reading it back from the stream takes less than a millisecond.
 */
export class RecordIndex {
  private readonly positions: TwoGenerationMap<number | number[]>;

  constructor(limit?: number) {
    this.positions = new TwoGenerationMap(limit);
  }

  add(id: string, { seq, index, final }: Position): void {
    const packed = placeOf(seq, index) * 2 + (final ? 1 : 0);
    const known = this.positions.get(id);
    if (known === undefined) this.positions.set(id, packed);
    else this.positions.set(id, typeof known === 'number' ? [known, packed] : [...known, packed]);
  }

  /** Oldest first. */
  positionsOf(id: string): Position[] {
    return this.packedOf(id).map((packed) => ({
      ...positionAt(Math.floor(packed / 2)),
      final: packed % 2 === 1,
    }));
  }

  isFinal(id: string): boolean {
    return this.packedOf(id).some((packed) => packed % 2 === 1);
  }

  private packedOf(id: string): readonly number[] {
    const known = this.positions.get(id);
    if (known === undefined) return [];
    return typeof known === 'number' ? [known] : known;
  }
}
