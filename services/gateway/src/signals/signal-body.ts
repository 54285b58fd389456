import { finalOutcome, type Outcome } from '@tps/contracts';
import { type KnownSignal, latestRun } from './signal-lookup';

interface TimelineEntry extends Record<string, unknown> {
  at: string;
  event: 'accepted' | 'started' | 'attempt_failed' | 'returned' | 'finished';
  run: number;
}

type OpenStatus = 'queued' | 'held' | 'running' | 'retrying';
const MESSAGES: Record<OpenStatus, string> = {
  queued: 'Accepted',
  held: 'Paused while its line is stopped',
  running: 'A worker is processing it',
  retrying: 'To be tried again',
};

export interface SignalBody extends Record<string, unknown> {
  status: string;
  final: boolean;
}

/** The body of `GET /signal/:id`: the fields of the outcome once there is a final one, otherwise where the signal is. Pure. */
export function signalBody(id: string, known: KnownSignal, isPaused: (type: string) => boolean): SignalBody {
  const { outcomes, found } = known;
  const run = latestRun(known);
  const timeline = timelineOf(known);
  const final = finalOutcome(outcomes, run);
  if (final) return { ...publicOutcome(final), runs: runsOf(outcomes), timeline };
  const last = outcomes.filter((outcome) => outcome.run === run).at(-1);
  const type = found?.signal.signal_type ?? last?.signal_type ?? '';
  const status = openStatus(found?.running ?? false, isPaused(type), last);
  const attempt = last?.attempt ?? 0;
  const trace_id = last?.trace_id ?? found?.trace_id;
  return {
    signal_id: id,
    signal_type: type,
    priority: found?.signal.priority ?? last?.priority,
    run,
    status,
    final: false,
    success: null,
    message: (status === 'retrying' && last?.message) || MESSAGES[status],
    attempt,
    timeout_ms: found?.signal.timeout_ms,
    enqueued_at: found?.accepted_at ?? last?.enqueued_at,
    worker_id: found?.worker_id,
    trace_id,
    runs: runsOf(outcomes, { run, status, attempt, trace_id }),
    timeline,
  };
}

/** Leaves out the fields of an outcome that only the fleet needs. */
export function publicOutcome(outcome: Outcome): Omit<Outcome, FleetFields> {
  const { v: _v, request_hash: _hash, level: _level, epoch: _epoch, delivery: _delivery, ...rest } = outcome;
  return rest;
}

type FleetFields = 'v' | 'request_hash' | 'level' | 'epoch' | 'delivery';

function openStatus(running: boolean, paused: boolean, last: Outcome | undefined): OpenStatus {
  if (running) return 'running';
  if (paused) return 'held';
  return last?.status === 'retrying' ? 'retrying' : 'queued';
}

interface OpenRun {
  run: number;
  status: OpenStatus;
  attempt: number;
  trace_id: string | undefined;
}

/**
 * Lists every run with its latest outcome. The trace of each run is linked to that of the one before.
 * @param open the last run, when it is not finished
 */
function runsOf(outcomes: Outcome[], open?: OpenRun): object[] {
  const finished = [...new Set(outcomes.map(({ run }) => run))]
    .filter((run) => run !== open?.run)
    .sort((a, b) => a - b)
    .map((run) => {
      const ofRun = outcomes.filter((outcome) => outcome.run === run);
      const { status, attempt, trace_id, finished_at } = (finalOutcome(ofRun, run) ?? ofRun.at(-1))!;
      return { run, status, attempt, trace_id, finished_at };
    });
  return open ? [...finished, open] : finished;
}

function timelineOf({ outcomes, found }: KnownSignal): TimelineEntry[] {
  const entries: TimelineEntry[] = [];
  const accepted = (at: string, run: number): void => {
    if (!entries.some((entry) => entry.event === 'accepted' && entry.run === run)) {
      entries.push({ at, event: 'accepted', run });
    }
  };
  for (const outcome of outcomes) {
    const { run, attempt, worker_id, message, error_class, status } = outcome;
    accepted(outcome.enqueued_at, run);
    const ran = status !== 'expired' && status !== 'cancelled' && status !== 'returned';
    if (ran) entries.push({ at: outcome.started_at, event: 'started', run, attempt, worker_id });
    const event = outcome.final ? 'finished' : status === 'returned' ? 'returned' : 'attempt_failed';
    entries.push({ at: outcome.finished_at, event, run, attempt, status, message, error_class });
  }
  if (found) accepted(found.accepted_at, found.signal.run);
  return entries;
}
