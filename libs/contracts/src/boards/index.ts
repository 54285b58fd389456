import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { AndonBoard } from './andon';
import { HeijunkaBoard } from './heijunka';
import { JidokaBoard } from './jidoka';
import { KaizenBoard } from './kaizen';
import { KanbanBoard } from './kanban';
import type { BoardService } from '../fleet';

/** The answers on `subjects.board(service)`. A service that is not listed may answer any object. */
export const BOARDS = {
  jidoka: JidokaBoard,
  kanban: KanbanBoard,
  andon: AndonBoard,
  kaizen: KaizenBoard,
  heijunka: HeijunkaBoard,
} satisfies Partial<Record<BoardService, TSchema>>;

/** The board of one service; any object for a service that is not listed. */
export type BoardOf<S extends BoardService> = S extends keyof typeof BOARDS
  ? Static<(typeof BOARDS)[S]>
  : object;

const AnyBoard = Type.Object({});
const SCHEMAS = new Map<BoardService, TSchema>(
  Object.entries(BOARDS).map(([service, schema]) => [service as BoardService, schema]),
);

/** The schema of a service's board. */
export function boardSchema(service: BoardService): TSchema {
  return SCHEMAS.get(service) ?? AnyBoard;
}

export { AndonBoard, type LineStatus, type OpenCall, type Replica, type StationStatus } from './andon';
export { HeijunkaBoard } from './heijunka';
export { JidokaBoard } from './jidoka';
export { DurationFigures, KaizenBoard, type Suggestion, SuggestionsReply } from './kaizen';
export { type BackupStatus, KanbanBoard, type LaneStatus, SignalCounts } from './kanban';
