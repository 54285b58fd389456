import type { Bus } from '@tps/bus';
import { finalOutcome, type Reach } from '@tps/contracts';
import type { FleetView, LineView } from '@tps/fleet';
import { validate as isUuid } from 'uuid';
import type { GatewayBackup } from '../backup/gateway-backup';
import { ApiError } from '../problem';
import { requestService } from '../request-service';
import type { OutcomeWaiters } from './outcome-waiters';
import { publicOutcome, type SignalBody, signalBody } from './signal-body';
import { type KnownSignal, latestRun, type SignalLookup } from './signal-lookup';

/** andon's records follow the log with a small delay, so an outcome of a moment ago may not be in them yet. */
const RECORDS_LAG_MS = 500;
/** kanban asks all workers before it removes a signal. */
const CANCEL_LIMIT_MS = 5_000;

export interface SignalViewsDeps {
  bus: Bus;
  fleet: FleetView;
  lookup: SignalLookup;
  waiters: OutcomeWaiters;
  lines: LineView;
  backup: GatewayBackup | undefined;
}

/** Shows and cancels one signal by its id. */
export class SignalViews {
  constructor(private readonly deps: SignalViewsDeps) {}

  /**
   * @param waitMs wait for the final outcome, at most this long
   * @param onLeave registers what to do when the caller has left
   * @throws ApiError
   */
  async show(id: string, waitMs = 0, onLeave: (left: () => void) => void = ignore): Promise<SignalBody> {
    const { waiters } = this.deps;
    let known = await this.find(id);
    const run = latestRun(known);
    if (waitMs > 0 && !finalOutcome(known.outcomes, run)) {
      const waiter = waiters.open(id, Date.now() + waitMs);
      waiter.fromRun = run;
      onLeave(() => waiter.end(null));
      waiters.follow(waiter);
      if (await waiter.outcome) known = await this.find(id);
    }
    return signalBody(id, known, (type) => this.deps.lines.state(type) !== 'Closed');
  }

  /** @throws ApiError */
  async cancel(id: string): Promise<object> {
    checkId(id);
    const { bus, fleet } = this.deps;
    const reply = await requestService(bus, 'cancel', { id }, { limitMs: CANCEL_LIMIT_MS, fleet });
    if (reply.cancelled) return publicOutcome(reply.outcome);
    if (reply.reason === 'started')
      throw new ApiError('ALREADY_STARTED', 'A worker has started this signal.');
    if (reply.reason === 'unavailable') {
      throw new ApiError('UNAVAILABLE', 'Not every worker said that it has not started this signal.');
    }
    const known = await this.find(id);
    const final = finalOutcome(known.outcomes, latestRun(known));
    if (final) throw new ApiError('ALREADY_FINISHED', `This signal is over: ${final.status}.`);
    throw new ApiError('ALREADY_STARTED', 'This signal is on its way through a worker.');
  }

  private async find(id: string): Promise<KnownSignal> {
    checkId(id);
    const { lookup, backup } = this.deps;
    const first = await lookup.signal(id);
    if (isKnown(first)) return first;
    // The backup is asked before the second look-up, which then finds what has left the backup meanwhile.
    const mayBeBackedUp = (await backup?.mayHold()) ?? false;
    const outcomes = (await lookup.outcomes([id], RECORDS_LAG_MS)).get(id) ?? [];
    if (outcomes.length > 0) return { outcomes, found: null };
    const second = backup ? await lookup.signal(id) : first;
    if (isKnown(second)) return second;
    if (!mayBeBackedUp) throw unknownSignal(id, second.reach);
    const message = 'Signals wait in the backup; whether this is one of them is not known yet.';
    throw new ApiError('UNAVAILABLE', message);
  }
}

/** A signal that nobody knows. The time in its id tells whether the records reach back to it. */
function unknownSignal(id: string, reach: Reach | undefined): ApiError {
  const madeMs = timeOfUuid(id);
  if (!reach || madeMs === undefined || madeMs >= Date.parse(reach.since)) {
    return new ApiError('NOT_FOUND', `There is no signal ${id}.`);
  }
  const message = `There is no record of ${id}, which was made before ${reach.since}: the records reach back ${reach.hours} h.`;
  return new ApiError('BEYOND_RECORDS', message, { members: { reach } });
}

/** The moment at which a UUID of version 7 was made; undefined for other versions, which do not tell. */
function timeOfUuid(id: string): number | undefined {
  return id[14] === '7' ? parseInt(id.replace('-', '').slice(0, 12), 16) : undefined;
}

const ignore = (): void => undefined;

function isKnown({ found, outcomes }: KnownSignal): boolean {
  return found !== null || outcomes.length > 0;
}

/** @throws ApiError */
export function checkId(id: string): void {
  if (!isUuid(id)) throw new ApiError('INVALID_REQUEST', `"${id}" is not the id of a signal: ids are UUIDs.`);
}
