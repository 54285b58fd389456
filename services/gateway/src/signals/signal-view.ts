import type { Outcome } from '@tps/contracts';
import type { LineView } from '@tps/service';
import { validate as isUuid } from 'uuid';
import { ApiError } from '../problem';
import type { GatewayBackup } from '../backup/gateway-backup';
import { finalOutcome, type KnownSignal, type SignalLookup } from './signal-lookup';
import type { OutcomeWaiters } from './outcome-waiters';

interface TimelineEntry extends Record<string, unknown> {
  at: string;
  event: 'accepted' | 'started' | 'attempt_failed' | 'returned' | 'finished';
  run: number;
}

/** The records follow the log with a small delay: what was finished just now is not unknown. */
const RECORDS_LAG_MS = 500;

type OpenStatus = 'queued' | 'held' | 'running' | 'retrying';
const MESSAGES: Record<OpenStatus, string> = {
  queued: 'Accepted',
  held: 'Paused while its line is stopped',
  running: 'A worker is processing it',
  retrying: 'To be tried again',
};

/** One signal by its id: where it is, and taking it back. */
export class SignalViews {
  constructor(
    private readonly records: SignalLookup,
    private readonly waiters: OutcomeWaiters,
    private readonly lines: LineView,
    private readonly backup: GatewayBackup | undefined,
  ) {}

  /**
   * @param waitMs wait for the final outcome, at most this long
   * @param onLeave registers what to do when the caller has left
   * @throws ApiError
   */
  async show(id: string, waitMs: number, onLeave: (left: () => void) => void): Promise<object> {
    let known = await this.find(id);
    const { run } = latest(known);
    if (waitMs > 0 && !finalOutcome(known.outcomes, run)) {
      const waiter = this.waiters.open(id, Date.now() + waitMs);
      waiter.fromRun = run;
      onLeave(() => waiter.end(null));
      this.waiters.follow(waiter);
      if (await waiter.outcome) known = await this.find(id);
    }
    return this.view(id, known);
  }

  /** @throws ApiError */
  async cancel(id: string): Promise<object> {
    checkId(id);
    const reply = await this.records.cancel(id);
    if (reply.cancelled) return plain(reply.outcome);
    if (reply.reason === 'started')
      throw new ApiError('ALREADY_STARTED', 'A worker has started this signal.');
    if (reply.reason === 'unavailable') {
      throw new ApiError('UNAVAILABLE', 'Not every worker said that it has not started this signal.');
    }
    const known = await this.find(id);
    const final = finalOutcome(known.outcomes, latest(known).run);
    if (final) throw new ApiError('ALREADY_FINISHED', `This signal is over: ${final.status}.`);
    throw new ApiError('ALREADY_STARTED', 'This signal is on its way through a worker.');
  }

  private async find(id: string): Promise<KnownSignal> {
    checkId(id);
    const known = await this.records.of(id);
    if (known.found || known.outcomes.length > 0) return known;
    // Asked before the last look: what has left the backup by now is found then.
    const mayBeBackedUp = (await this.backup?.mayHold()) ?? false;
    const outcomes = (await this.records.lookup([id], RECORDS_LAG_MS)).get(id) ?? [];
    const again = outcomes.length > 0 || !this.backup ? { outcomes, found: null } : await this.records.of(id);
    if (again.found || again.outcomes.length > 0) return again;
    if (mayBeBackedUp) {
      throw new ApiError(
        'UNAVAILABLE',
        'Signals wait on the backup; whether this is one of them is not known yet.',
      );
    }
    throw new ApiError('NOT_FOUND', `There is no signal ${id}.`);
  }

  private view(id: string, known: KnownSignal): object {
    const { outcomes, found } = known;
    const { run, last } = latest(known);
    const timeline = timelineOf(known);
    const final = finalOutcome(outcomes, run);
    if (final) return { ...plain(final), runs: runsOf(outcomes), timeline };
    const type = found?.signal.signal_type ?? last?.signal_type ?? '';
    const status = this.openStatus(type, known);
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

  private openStatus(type: string, known: KnownSignal): OpenStatus {
    if (known.found?.running) return 'running';
    if (this.lines.state(type) !== 'Closed') return 'held';
    return latest(known).last?.status === 'retrying' ? 'retrying' : 'queued';
  }
}

/** @throws ApiError */
export function checkId(id: string): void {
  if (!isUuid(id)) throw new ApiError('INVALID_REQUEST', `"${id}" is not the id of a signal: ids are UUIDs.`);
}

/** The run that counts now, and the last that is recorded of it. */
function latest({ outcomes, found }: KnownSignal): { run: number; last: Outcome | undefined } {
  const run = Math.max(found?.signal.run ?? 0, ...outcomes.map((outcome) => outcome.run));
  return { run, last: outcomes.filter((outcome) => outcome.run === run).at(-1) };
}

/** An outcome without what only the fleet needs. */
export function plain(outcome: Outcome): object {
  const { v: _v, request_hash: _hash, level: _level, epoch: _epoch, delivery: _delivery, ...rest } = outcome;
  return rest;
}

interface OpenRun {
  run: number;
  status: OpenStatus;
  attempt: number;
  trace_id: string | undefined;
}

/**
 * Every run with what became of it; the trace of a later one is linked to the one before.
 * @param open the last, when it is not finished
 */
function runsOf(outcomes: Outcome[], open?: OpenRun): object[] {
  const finished = [...new Set(outcomes.map(({ run }) => run))]
    .filter((run) => run !== open?.run)
    .sort((a, b) => a - b)
    .map((run) => {
      const mine = outcomes.filter((outcome) => outcome.run === run);
      const { status, attempt, trace_id, finished_at } = (finalOutcome(mine, run) ?? mine.at(-1))!;
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
