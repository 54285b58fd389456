import type { Static, TSchema } from '@sinclair/typebox';
import { AndonBoard } from './andon';
import { HeijunkaBoard } from './heijunka';
import { JidokaBoard } from './jidoka';
import { KaizenBoard } from './kaizen';
import { KanbanBoard } from './kanban';
import type { BoardService } from '../fleet';

/** What a service answers on `subjects.board(service)`. A service that is not listed may answer any object. */
export const BOARDS = {
  jidoka: JidokaBoard,
  kanban: KanbanBoard,
  andon: AndonBoard,
  kaizen: KaizenBoard,
  heijunka: HeijunkaBoard,
} satisfies Partial<Record<BoardService, TSchema>>;

/** The board of one service. */
export type BoardOf<S extends keyof typeof BOARDS> = Static<(typeof BOARDS)[S]>;

export { AndonBoard, type LineStatus, type OpenCall, type Replica, type StationStatus } from './andon';
export { HeijunkaBoard } from './heijunka';
export { JidokaBoard } from './jidoka';
export { DurationFigures, KaizenBoard, type Suggestion, SuggestionsReply } from './kaizen';
export { type BackupStatus, KanbanBoard, type LaneStatus } from './kanban';
