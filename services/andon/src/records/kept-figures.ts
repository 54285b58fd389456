import { FIGURES_KEY, putJson, type PutOperation } from './record-entry';

const KEEP_EVERY_MS = 5_000;

/** A place in a log: when the broker created the log, and a sequence in it. */
export interface LogPlace {
  created: string;
  seq: number;
}

/** Figures that are counted from the log of outcomes. */
export interface Figures {
  /** @returns the input of `restore`, in a form that JSON can hold */
  record(): unknown;
  restore(record: unknown): void;
}

/** The figures as they are stored. A record of another shape gets a key of its own. */
interface StoredFigures extends LogPlace {
  figures: unknown;
}

/**
 * Keeps figures with the index of the log that they are counted from. They are written together with the outcomes that they
 * have counted, so a start goes on from there and counts no outcome twice.
 */
export class KeptFigures {
  private figures: Figures | undefined;
  private keptMs = 0;
  private countedTo = 0;

  /**
   * Takes over the stored figures, unless they are of another log.
   *
   * @returns the sequence up to which they have counted
   */
  restore(figures: Figures, created: string, stored: Buffer | undefined): number {
    this.figures = figures;
    const kept = stored && (JSON.parse(stored.toString()) as StoredFigures);
    if (kept?.created === created) {
      figures.restore(kept.figures);
      this.countedTo = kept.seq;
    }
    return this.countedTo;
  }

  /** The log is another one, and the figures begin anew. */
  restart(): void {
    this.countedTo = 0;
  }

  /** Whether the restored figures do not have this message yet. */
  counts(seq: number): boolean {
    return seq > this.countedTo;
  }

  /** The operations that store the figures of this moment, if that is due. */
  due(place: LogPlace): PutOperation[] {
    const now = Date.now();
    if (!this.figures || now - this.keptMs < KEEP_EVERY_MS) return [];
    this.keptMs = now;
    const stored: StoredFigures = { ...place, figures: this.figures.record() };
    return [putJson(FIGURES_KEY, stored)];
  }
}
