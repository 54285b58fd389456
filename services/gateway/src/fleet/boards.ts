import type { Bus } from '@tps/bus';
import type { AndonBoard, KaizenBoard, KanbanBoard, ServiceName } from '@tps/contracts';
import { askService } from '../ask';

export interface BoardOf {
  andon: AndonBoard;
  kanban: KanbanBoard;
  kaizen: KaizenBoard;
}

/** What other services say of themselves, and what they said last. */
export class Boards {
  private readonly last = new Map<ServiceName, { board: unknown; at: number }>();

  constructor(private readonly bus: Bus) {}

  /** @throws ApiError UNAVAILABLE */
  async ask(service: ServiceName, limitMs: number): Promise<unknown> {
    const subject = this.bus.names.subjects.board(service);
    const board = await askService<unknown>(this.bus, service, { subject, limitMs });
    this.last.set(service, { board, at: Date.now() });
    return board;
  }

  /** Live if it answers in time, otherwise what it said last, if anything. */
  async latest<S extends keyof BoardOf>(
    service: S,
    limitMs: number,
    maxAgeMs = 0,
  ): Promise<{ board: BoardOf[S]; fresh: boolean } | undefined> {
    const age = Date.now() - (this.last.get(service)?.at ?? 0);
    const fresh = age <= maxAgeMs || (await this.ask(service, limitMs).then(Boolean, () => false));
    const known = this.last.get(service);
    return known && { board: known.board as BoardOf[S], fresh };
  }
}
