import { type Bus, managerOf } from '@tps/bus';
import {
  type BackupStatus,
  type KanbanBoard,
  type Lane,
  laneName,
  type LaneStatus,
  WIRE_VERSION,
} from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import type { CardLimits } from './queue/card-limits';
import type { LaneCounts, QueueStats } from './queue/queue-stats';

export interface BoardParts {
  bus: Bus;
  queue: QueueStats;
  cards: CardLimits;
  buffer: number;
  backup: BackupStatus;
  lines: LineView;
  /** Types that the fleet knows. */
  types: readonly string[];
}

/** What is accepted and unfinished, lane by lane, and who has it. */
export async function kanbanBoard(parts: BoardParts): Promise<KanbanBoard> {
  const { queue, cards, buffer, backup } = parts;
  await queue.refresh();
  const { depth, lanes, orphans: stranded } = queue;
  const delayed = delayedIn(parts);
  const shown = await Promise.all(
    Object.entries(lanes).map(async ([name, counts]) => {
      return [name, await laneStatus(parts, counts, delayed.get(name) ?? 0)] as const;
    }),
  );
  const named = [...new Set([...parts.types, ...Object.values(lanes).map(({ type }) => type)])];
  const types = named.map((type) => {
    const own = Object.values(lanes).filter((lane) => lane.type === type);
    const sum = (figure: 'waiting' | 'in_progress'): number =>
      own.reduce((total, lane) => total + lane[figure], 0);
    const counts = { waiting: sum('waiting'), in_progress: sum('in_progress') };
    return [type, { ...cards.of(type), ...counts, holders: cards.holders(type) }] as const;
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
 * Of each lane, what was given back with a delay: the broker counts it as in progress, also when it is over, until
 * somebody pulls. What workers say they have is known per type, and most likely of the highest priority.
 */
function delayedIn({ queue, cards }: BoardParts): Map<string, number> {
  const delayed = new Map<string, number>();
  const inHand = new Map<string, number>();
  const byPriority = Object.entries(queue.lanes).sort(([, a], [, b]) => a.priority - b.priority);
  for (const [name, { type, in_progress }] of byPriority) {
    const held = Object.values(cards.holders(type)).reduce((sum, { in_hand }) => sum + in_hand, 0);
    const left = inHand.get(type) ?? held;
    const working = Math.min(in_progress, left);
    inHand.set(type, left - working);
    delayed.set(name, in_progress - working);
  }
  return delayed;
}

async function laneStatus(
  { bus, queue, cards, lines }: BoardParts,
  counts: LaneCounts,
  delayed: number,
): Promise<LaneStatus> {
  const { type, waiting, in_progress } = counts;
  const acceptedMs = waiting + in_progress > 0 ? await oldest(bus, queue, counts) : null;
  return {
    ...counts,
    cards: cards.of(type).limit,
    held: lines.state(type) === 'Closed' ? 0 : waiting + delayed,
    oldest_age_ms: acceptedMs === null ? null : Math.max(0, Date.now() - acceptedMs),
  };
}

/** When the first message after the acknowledged ones of its lane was stored; null when it has gone by now. */
async function oldest(bus: Bus, queue: QueueStats, { type, priority }: Lane): Promise<number | null> {
  const jsm = await managerOf(bus);
  const seq = (queue.ackFloors.get(laneName(type, priority)) ?? 0) + 1;
  const query = { seq, next_by_subj: bus.names.subjects.work(type, priority, '*') };
  const message = await jsm.direct.getMessage(bus.names.streams.kanban, query).catch(() => null);
  return message ? message.time.getTime() : null;
}
