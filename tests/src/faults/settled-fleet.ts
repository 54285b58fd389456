import { setTimeout as sleep } from 'node:timers/promises';
import { FINAL, type SignalStatus, type FleetOutcome } from './loss-checker';
import type { Journal } from './journal';

/** Reads from a fleet over its API. */
export type Get = (path: string) => Promise<{ status: number; body: Record<string, unknown> }>;

const COUNTED = ['success_count', 'error_count', 'rejected', 'expired', 'cancelled'];
const LOOK_MS = 200;
const AT_ONCE = 8;
/** In a cluster that lost a node, until it is noticed that nobody answers for the log. */
const LAG_MS = 15_000;

export interface Figures {
  counted: number;
  superseded: number;
}

/** @throws when kaizen does not answer */
export async function figures(get: Get): Promise<Figures> {
  const { status, body } = await get('/metrics');
  if (status !== 200) throw new Error(`/metrics answers ${status}`);
  const number = (name: string): number => Number(body[name] ?? 0);
  return { counted: COUNTED.reduce((sum, name) => sum + number(name), 0), superseded: number('superseded') };
}

/**
 * Waits until nothing is unfinished, then reads what became of every accepted signal.
 * @param before figures from before the journal began
 * @throws when the fleet does not come to rest within `limitMs`
 */
export async function outcomeOf(
  get: Get,
  journal: Journal,
  { before, limitMs }: { before: Figures; limitMs: number },
): Promise<FleetOutcome> {
  const until = Date.now() + limitMs;
  await atRest(get, until);
  const found = new Map<string, SignalStatus>();
  const ids = journal.accepted.flatMap(({ id }) => id ?? []);
  const reader = async (): Promise<void> => {
    for (let id = ids.pop(); id; id = ids.pop()) found.set(id, await read(get, id, until));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, reader));
  const finals = [...found.values()].filter(({ status }) => FINAL.includes(status)).length;
  let after = await figures(get);
  // kaizen follows the log with a small delay of its own.
  for (const late = Date.now() + LAG_MS; after.counted - before.counted < finals && Date.now() < late;) {
    await sleep(LOOK_MS);
    after = await figures(get);
  }
  return { found, counted: after.counted - before.counted, superseded: after.superseded - before.superseded };
}

/** Signals are still unfinished; the message has what the fleet says of them. */
class NotAtRestError extends Error {
  override readonly name = 'NotAtRestError';
}

async function atRest(get: Get, until: number): Promise<void> {
  let last: unknown;
  while (Date.now() < until) {
    const { status, body } = await get('/health').catch((error: unknown) => ({ status: 0, body: { error } }));
    last = body;
    if (status === 200 && (body as { queue_depth?: number }).queue_depth === 0) return;
    await sleep(LOOK_MS);
  }
  const { body: queue } = await get('/kanban');
  throw new NotAtRestError(`not at rest in time: ${JSON.stringify({ last, queue })}`);
}

/** The records follow the log with a small delay, and are away while andon restarts: asked until they say something. */
async function read(get: Get, id: string, until: number): Promise<SignalStatus> {
  for (;;) {
    const { status, body } = await get(`/signal/${id}`).catch(() => ({ status: 0, body: {} }));
    const known = body as unknown as SignalStatus;
    if (status === 200 && FINAL.includes(known.status)) return known;
    if (Date.now() > until) return { status: status === 200 ? known.status : 'unknown' };
    await sleep(LOOK_MS);
  }
}
