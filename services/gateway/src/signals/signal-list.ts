import type { Static } from '@sinclair/typebox';
import type { Bus } from '@tps/bus';
import {
  FINAL_STATUSES,
  type FinalStatus,
  OPEN_STATUSES,
  type OpenStatus,
  type Outcome,
  type ReplyOf,
} from '@tps/contracts';
import type { SignalsQuery } from '../api/schemas';
import { requestService } from '../request-service';
import { ApiError } from '../problem';
import { publicOutcome } from './signal-body';

const ASK_LIMIT_MS = 5_000;
const RUNS_LIMIT_MS = 1_000;

/**
 * `GET /signals`: andon knows what is finished, kanban what is not.
 * @throws ApiError
 */
export async function listSignals(bus: Bus, query: Static<typeof SignalsQuery>): Promise<object> {
  const { status, class: error_class, ...page } = query;
  const wanted = status?.split(',') ?? [];
  const open = wanted.filter(isOpen);
  if (open.length === 0) return listFinished(bus, query, wanted as FinalStatus[]);
  const problem = openProblem(open, wanted, error_class);
  if (problem) throw new ApiError('INVALID_REQUEST', problem);
  const request = { ...page, status: open };
  const { items, next } = await requestService(bus, 'openSignals', request, { limitMs: ASK_LIMIT_MS });
  return { items: items.map((item) => ({ ...item, final: false, success: null })), next };
}

async function listFinished(
  bus: Bus,
  { status: _, ...page }: Static<typeof SignalsQuery>,
  wanted: FinalStatus[],
): Promise<object> {
  const request = { ...page, ...(wanted.length > 0 ? { status: wanted } : {}) };
  const { items, next, reach } = await requestService(bus, 'finishedSignals', request, {
    limitMs: ASK_LIMIT_MS,
  });
  const current = await withoutRerun(bus, items);
  return { items: current.map(publicOutcome), next, ...(reach ? { reach } : {}) };
}

/** Leaves out failed and expired signals that were requeued and are not finished. */
async function withoutRerun(bus: Bus, items: Outcome[]): Promise<Outcome[]> {
  const ids = items
    .filter(({ status }) => status === 'failed' || status === 'expired')
    .map(({ signal_id }) => signal_id);
  if (ids.length === 0) return items;
  // While kanban is away the records alone are shown: they are what was finished last.
  const none: ReplyOf<'openRuns'> = { runs: {} };
  const { runs } = await requestService(bus, 'openRuns', { ids }, { limitMs: RUNS_LIMIT_MS }).catch(
    () => none,
  );
  return items.filter(({ signal_id, run }) => (runs[signal_id] ?? 0) <= run);
}

function isOpen(status: string): status is OpenStatus {
  return (OPEN_STATUSES as readonly string[]).includes(status);
}

function openProblem(open: string[], wanted: string[], error_class: string | undefined): string | null {
  if (error_class) return '/class is known of finished signals only';
  if (open.length === wanted.length) return null;
  return `/status may name finished (${FINAL_STATUSES.join(', ')}) or unfinished signals (${OPEN_STATUSES.join(', ')}), not both`;
}
