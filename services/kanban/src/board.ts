import { type Bus, managerOf } from '@tps/bus';
import {
  type BackupStatus,
  type KanbanBoard,
  type Lane,
  laneName,
  type LaneStatus,
  WIRE_VERSION,
} from '@tps/contracts';
import type { FleetView, LineView } from '@tps/fleet';
import type { CardLimits } from './queue/card-limits';
import type { LaneCounts, QueueStats } from './queue/queue-stats';
import { countSignals, loadOf, type TypeLoad } from './queue/signal-counts';

export interface BoardDeps {
  bus: Bus;
  fleet: FleetView;
  queue: QueueStats;
  cards: CardLimits;
  buffer: number;
  backup: BackupStatus;
  lines: LineView;
  /** Known types. */
  types: readonly string[];
}

/** Builds the board: accepted, unfinished signals by lane and by type, and the workers that have them. */
export async function kanbanBoard(deps: BoardDeps): Promise<KanbanBoard> {
  const { queue, cards, buffer, backup, lines } = deps;
  await queue.refresh();
  const { depth, lanes, orphans: stranded } = queue;
  const released = releasedIn(deps);
  const shown = await Promise.all(
    Object.entries(lanes).map(async ([name, counts]) => {
      return [name, await laneStatus(deps, counts, released.get(name) ?? 0)] as const;
    }),
  );
  const named = [...new Set([...deps.types, ...Object.values(lanes).map(({ type }) => type)])];
  const types = named.map((type) => {
    const own = Object.values(lanes).filter((lane) => lane.type === type);
    const sum = (figure: 'waiting' | 'in_progress'): number =>
      own.reduce((total, lane) => total + lane[figure], 0);
    const both = { waiting: sum('waiting'), in_progress: sum('in_progress') };
    const limits = cards.of(type);
    const books = { ...both, limit: limits.limit, stopped: lines.state(type) !== 'Closed' };
    const counts = countSignals(books, workersLoad(deps, type));
    return [type, { ...limits, ...both, counts, holders: cards.holders(type) }] as const;
  });
  return {
    v: WIRE_VERSION,
    queue_depth: depth + backup.on_backup,
    buffer,
    lanes: Object.fromEntries(shown),
    types: Object.fromEntries(types),
    stranded,
    backup,
  };
}

/**
 * Released signals by lane. The broker counts them as in progress until they are delivered again. Workers report the
 * signals in flight by type, and most likely those have the highest priority.
 */
function releasedIn(deps: BoardDeps): Map<string, number> {
  const released = new Map<string, number>();
  const inFlight = new Map<string, number>();
  const byPriority = Object.entries(deps.queue.lanes).sort(([, a], [, b]) => a.priority - b.priority);
  for (const [name, { type, in_progress }] of byPriority) {
    const left = inFlight.get(type) ?? workersLoad(deps, type).in_flight;
    const working = Math.min(in_progress, left);
    inFlight.set(type, left - working);
    released.set(name, in_progress - working);
  }
  return released;
}

function workersLoad({ fleet }: BoardDeps, type: string): TypeLoad {
  return loadOf(
    fleet.of('worker').map(({ vitals }) => vitals),
    type,
  );
}

async function laneStatus(
  { bus, queue, cards, lines }: BoardDeps,
  counts: LaneCounts,
  released: number,
): Promise<LaneStatus> {
  const { type, waiting, in_progress } = counts;
  const acceptedMs = waiting + in_progress > 0 ? await oldest(bus, queue, counts) : null;
  return {
    ...counts,
    cards: cards.of(type).limit,
    held: lines.state(type) === 'Closed' ? 0 : waiting + released,
    oldest_age_ms: acceptedMs === null ? null : Math.max(0, Date.now() - acceptedMs),
  };
}

/** When the first unacknowledged message of a lane was stored; null if it is gone by now. */
async function oldest(bus: Bus, queue: QueueStats, { type, priority }: Lane): Promise<number | null> {
  const jsm = await managerOf(bus);
  const seq = (queue.ackFloors.get(laneName(type, priority)) ?? 0) + 1;
  const query = { seq, next_by_subj: bus.names.subjects.work(type, priority, '*') };
  const message = await jsm.direct.getMessage(bus.names.streams.kanban, query).catch(() => null);
  return message ? message.time.getTime() : null;
}
