import type { Bus } from '@tps/bus';
import {
  type ApiErrorCode,
  type KanbanBoard,
  maxWaitMs,
  type RequestOf,
  type RetiredType,
  type RetireRefusal,
  SIGNAL_TYPE_PATTERN,
} from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import type { Access } from '../access';
import { type Handlers, typeOf } from '../api/handlers';
import type { TypeList } from '../api/schemas';
import { ApiError, sendJson } from '../problem';
import { requestService } from '../request-service';
import type { SignalTypes } from '../signals/signal-types';
import type { Boards } from './boards';
import type { Health } from './health';

const BOARD_LIMIT_MS = 1_000;
/** Long, because kanban asks all its processes and three services before it answers. */
const RETIRE_LIMIT_MS = 12_000;
const NOBODY = 'unknown';
const TYPE_NAME = new RegExp(SIGNAL_TYPE_PATTERN);

const RETIRE_ERRORS: Record<RetireRefusal['refused'], ApiErrorCode> = {
  unknown: 'UNKNOWN_TYPE',
  has_work: 'TYPE_HAS_WORK',
  served: 'TYPE_SERVED',
  unavailable: 'UNAVAILABLE',
};

export interface TypeHandlersDeps {
  bus: Bus;
  access: Access;
  types: SignalTypes;
  fleet: FleetView;
  boards: Boards;
  health: Health;
}

type TypeEntry = TypeList['items'][number];

/** Lists and retires signal types. */
export function typeHandlers(deps: TypeHandlersDeps): Pick<Handlers, 'types' | 'retireType'> {
  return {
    types: async (_req, res) => sendJson(res, 200, await listTypes(deps)),
    retireType: async (req, res, { body }) => {
      const author = authorOf(deps.access.nameOf(req), body?.by);
      sendJson(res, 200, await retire(deps.bus, typeOf(req), author, body?.reason));
    },
  };
}

async function listTypes({ types, boards, health, fleet }: TypeHandlersDeps): Promise<TypeList> {
  const kanban = await boards.latest('kanban', BOARD_LIMIT_MS);
  const board = kanban?.fresh ? kanban.board : null;
  const circuits = health.circuits();
  const items = types.known().flatMap((type) => {
    const record = types.get(type);
    if (!record) return [];
    const { name, timeout_ms, standard_ms = null, retry, retry_async, registered_at } = record;
    const serving = fleet.of('worker').filter(({ vitals }) => vitals.types.includes(name));
    const entry: TypeEntry = {
      name,
      timeout_ms,
      standard_ms,
      max_wait_ms: maxWaitMs(record),
      retry,
      ...(retry_async ? { retry_async } : {}),
      registered_at,
      served: serving.length > 0,
      workers: serving.length,
      slots: serving.reduce((sum, { vitals }) => sum + vitals.slots, 0),
      line: circuits[type] ?? { state: 'Closed' },
      queue: board && queueOf(board, type),
    };
    return [entry];
  });
  return { items };
}

/** @throws ApiError */
async function retire(bus: Bus, signal_type: string, by: string, reason?: string): Promise<RetiredType> {
  if (!TYPE_NAME.test(signal_type)) {
    throw new ApiError('UNKNOWN_TYPE', `Not retired: no signal type can be called "${signal_type}".`);
  }
  const request: RequestOf<'retire'> = { signal_type, by, ...(reason ? { reason } : {}) };
  const reply = await requestService(bus, 'retire', request, { limitMs: RETIRE_LIMIT_MS });
  if ('retired' in reply) return reply.retired;
  const { refused, reason: why, ...members } = reply;
  throw new ApiError(RETIRE_ERRORS[refused], `Not retired: ${why}.`, { members });
}

/** Names the author: the client of the token, with the name in the body beside it. */
function authorOf(caller: string | undefined, by: string | undefined): string {
  return caller && by && by !== caller ? `${caller} (${by})` : (caller ?? by ?? NOBODY);
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
