import { type Bus, lookUpAll, RecordsUnavailableError } from '@tps/bus';
import {
  type FoundSignal,
  type Outcome,
  type ReplyOf,
  type RequestName,
  type RequestOf,
  REQUESTS,
} from '@tps/contracts';
import type { FleetView } from '@tps/service';
import { ApiError } from '../problem';
import { requestService } from '../request-service';

interface LookupOptions {
  /** How long each question may take. */
  limitMs: number;
  /** Asks again while the one who would answer is only being restarted. */
  patient: boolean;
}

const USUAL_LOOKUP: LookupOptions = { limitMs: 2_000, patient: true };
/** Of a signal that goes to the backup unchecked when nobody answers: its caller is to hear that soon. */
export const BRIEF_LOOKUP: LookupOptions = { limitMs: 700, patient: false };
/** kanban asks all workers before it removes anything. */
const CANCEL_LIMIT_MS = 5_000;

/** What is known of one signal: andon has what happened, kanban what is still to happen. */
export interface KnownSignal {
  /** Everything recorded, oldest first. */
  outcomes: Outcome[];
  found: FoundSignal | null;
}

/** Questions about signals. Silence of who would know is `UNAVAILABLE`, never taken for "no". */
export class SignalLookup {
  constructor(
    private readonly bus: Bus,
    private readonly fleet: FleetView,
  ) {}

  /** @param waitMs hold the answer until every id has a final outcome, at most this long */
  async lookup(ids: string[], waitMs = 0, asking = USUAL_LOOKUP): Promise<Map<string, Outcome[]>> {
    const options = { ...asking, limitMs: asking.limitMs + waitMs };
    try {
      return await lookUpAll(ids, (request) =>
        this.ask('lookup', waitMs > 0 ? { ...request, wait_ms: waitMs } : request, options),
      );
    } catch (error) {
      if (!(error instanceof RecordsUnavailableError)) throw error;
      throw new ApiError('UNAVAILABLE', 'andon could not answer.', { cause: error });
    }
  }

  async of(id: string, asking = USUAL_LOOKUP): Promise<KnownSignal> {
    const [byId, { found }] = await Promise.all([this.lookup([id], 0, asking), this.find(id, asking)]);
    return { outcomes: byId.get(id) ?? [], found };
  }

  cancel(id: string): Promise<ReplyOf<'cancel'>> {
    return this.ask('cancel', { id }, { ...USUAL_LOOKUP, limitMs: CANCEL_LIMIT_MS });
  }

  private find(id: string, asking: LookupOptions): Promise<ReplyOf<'find'>> {
    return this.ask('find', { id }, asking);
  }

  private ask<N extends RequestName>(
    name: N,
    request: RequestOf<N>,
    { limitMs, patient }: LookupOptions,
  ): Promise<ReplyOf<N>> {
    const lives = (): boolean => patient && this.fleet.of(REQUESTS[name].service).length > 0;
    return requestService(this.bus, name, request, { limitMs, lives });
  }
}

/** What counts of a signal: the first final outcome of its latest run, if that run is `fromRun` or later. */
export function finalOutcome(outcomes: Outcome[], fromRun = 0): Outcome | undefined {
  const finals = outcomes.filter((outcome) => outcome.final && outcome.run >= fromRun);
  const latest = finals.reduce((run, outcome) => Math.max(run, outcome.run), fromRun);
  return finals.find((outcome) => outcome.run === latest);
}
