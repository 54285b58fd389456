import type { Static } from '@sinclair/typebox';
import type { Bus } from '@tps/bus';
import {
  type ApiErrorCode,
  type KanbanBoard,
  type RetiredType,
  type RetireRefusal,
  type RetireRequest,
  SIGNAL_TYPE_PATTERN,
  type TypeRecord,
} from '@tps/contracts';
import type { FleetView } from '@tps/service';
import type { RetireRequest as RetireBody, TypeList } from '../api/schemas';
import { requestService } from '../request-service';
import { ApiError } from '../problem';
import type { SignalTypes } from '../signals/signal-types';
import type { Boards } from './boards';
import type { Health } from './health';

const BOARD_LIMIT_MS = 1_000;
/** kanban asks every process of its own, and three services, before it answers. */
const RETIRE_LIMIT_MS = 12_000;
const NOBODY = 'unknown';
const TYPE_NAME = new RegExp(SIGNAL_TYPE_PATTERN);

const CALL_ERRORS: Record<RetireRefusal['refused'], ApiErrorCode> = {
  unknown: 'UNKNOWN_TYPE',
  has_work: 'TYPE_HAS_WORK',
  served: 'TYPE_SERVED',
  unavailable: 'UNAVAILABLE',
};

export interface TypeDeskParts {
  bus: Bus;
  types: SignalTypes;
  fleet: FleetView;
  boards: Boards;
  health: Health;
}

type TypeEntry = TypeList['items'][number];

/** The types of the fleet: listing and retiring them. */
export class TypeDesk {
  constructor(private readonly deps: TypeDeskParts) {}

  async list(): Promise<TypeList> {
    const { types, boards, health } = this.deps;
    const kanban = await boards.latest('kanban', BOARD_LIMIT_MS);
    const board = kanban?.fresh ? kanban.board : null;
    const circuits = health.circuits();
    const items = types.known().flatMap((type) => {
      const record = types.get(type);
      const line = circuits[type] ?? { state: 'Closed' as const };
      return record ? [{ ...this.entryOf(record), line, queue: board && queueOf(board, type) }] : [];
    });
    return { items };
  }

  /**
   * @param caller the client whose token it is, if that has a name
   * @throws ApiError
   */
  async retire(
    signal_type: string,
    { reason, by }: Static<typeof RetireBody> = {},
    caller?: string,
  ): Promise<RetiredType> {
    const { bus } = this.deps;
    if (!TYPE_NAME.test(signal_type)) {
      throw new ApiError('UNKNOWN_TYPE', `Not retired: no signal type can be called "${signal_type}".`);
    }
    const author = caller && by && by !== caller ? `${caller} (${by})` : (caller ?? by ?? NOBODY);
    const request: RetireRequest = { signal_type, by: author, ...(reason ? { reason } : {}) };
    const reply = await requestService(bus, 'retire', request, { limitMs: RETIRE_LIMIT_MS });
    if ('retired' in reply) return reply.retired;
    const { refused, reason: why, ...members } = reply;
    throw new ApiError(CALL_ERRORS[refused], `Not retired: ${why}.`, { members });
  }

  private entryOf(record: TypeRecord): Omit<TypeEntry, 'line' | 'queue'> {
    const { name, timeout_ms, standard_ms = null, retry, registered_at } = record;
    const beats = this.deps.fleet.of('worker');
    const serving = beats.filter(({ vitals }) => vitals.types.includes(name));
    const slots = serving.reduce((sum, { vitals }) => sum + vitals.slots, 0);
    const workers = { served: serving.length > 0, workers: serving.length, slots };
    return { name, timeout_ms, standard_ms, retry, registered_at, ...workers };
  }
}

function queueOf({ lanes }: KanbanBoard, type: string): TypeEntry['queue'] {
  const queue = { waiting: 0, in_progress: 0, held: 0 };
  for (const lane of Object.values(lanes)) {
    if (lane.type !== type) continue;
    queue.waiting += lane.waiting;
    queue.in_progress += lane.in_progress;
    queue.held += lane.held;
  }
  return queue;
}
