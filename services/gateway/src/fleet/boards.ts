import { askBoard, type Bus } from '@tps/bus';
import type { BoardOf, BoardService } from '@tps/contracts';
import { replyOf } from '../request-service';

/** All metrics of one scrape share one request. */
const SCRAPE_AGE_MS = 500;
const SCRAPE_LIMIT_MS = 500;

/** Asks other services for their boards, and keeps the last answer of each. */
export class Boards {
  private readonly last = new Map<BoardService, { board: unknown; at: number }>();
  private readonly scrapes = new Map<BoardService, Promise<unknown>>();

  constructor(private readonly bus: Bus) {}

  /** @throws ApiError UNAVAILABLE */
  async ask<S extends BoardService>(service: S, limitMs: number): Promise<BoardOf<S>> {
    const board = await replyOf(this.bus, service, () => askBoard(this.bus, service, { timeoutMs: limitMs }));
    this.last.set(service, { board, at: Date.now() });
    return board;
  }

  /** The board as it is now if the service answers in time, otherwise its last answer, if there is one. */
  async latest<S extends BoardService>(
    service: S,
    limitMs: number,
    maxAgeMs = 0,
  ): Promise<{ board: BoardOf<S>; fresh: boolean } | undefined> {
    const age = Date.now() - (this.last.get(service)?.at ?? 0);
    const fresh = age < maxAgeMs || (await this.ask(service, limitMs).then(Boolean, () => false));
    const known = this.last.get(service);
    return known && { board: known.board as BoardOf<S>, fresh };
  }

  /** The board for metrics. All metrics of one scrape share one request. */
  async scraped<S extends BoardService>(service: S): Promise<BoardOf<S> | undefined> {
    const asked =
      this.scrapes.get(service) ??
      this.latest(service, SCRAPE_LIMIT_MS, SCRAPE_AGE_MS).finally(() => this.scrapes.delete(service));
    this.scrapes.set(service, asked);
    return ((await asked) as { board: BoardOf<S> } | undefined)?.board;
  }
}
