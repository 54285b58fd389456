import { type Bus, lookUpAll, RecordsUnavailableError } from '@tps/bus';
import type { FoundSignal, Outcome, Reach } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import { ApiError } from '../problem';
import { requestService } from '../request-service';

interface LookupOptions {
  /** How long each request may take. */
  limitMs: number;
  /** Asks again while the service that would answer restarts. */
  retry: boolean;
  /** A signal in the queue is reported although the records do not answer. */
  queueSuffices?: boolean;
}

const USUAL_LOOKUP: LookupOptions = { limitMs: 2_000, retry: true };
/**
 * For a signal that is accepted even when nobody answers: its caller should not wait long for the check. The queue alone
 * tells that it is unfinished, which is all that a repeat has to know.
 */
export const BRIEF_LOOKUP: LookupOptions = { limitMs: 700, retry: false, queueSuffices: true };
/** The records, when they do not answer. */
const UNREAD = { byId: new Map<string, Outcome[]>(), reach: undefined };

/** The fleet's knowledge of one signal: andon has its past, kanban its future. */
export interface KnownSignal {
  /** Everything recorded, oldest first. */
  outcomes: Outcome[];
  found: FoundSignal | null;
  /** How far back the records reach, as far as andon knows. */
  reach?: Reach | undefined;
}

/** Looks signals up. A service that does not answer makes it throw `UNAVAILABLE`, and never counts as "unknown". */
export class SignalLookup {
  constructor(
    private readonly bus: Bus,
    private readonly fleet: FleetView,
  ) {}

  /**
   * Reads the recorded outcomes of each signal.
   * @param waitMs andon holds its answer until every id has a final outcome, at most this long
   */
  async outcomes(ids: string[], waitMs = 0, options = USUAL_LOOKUP): Promise<Map<string, Outcome[]>> {
    return (await this.recorded(ids, waitMs, options)).byId;
  }

  async signal(id: string, options = USUAL_LOOKUP): Promise<KnownSignal> {
    const { limitMs, retry, queueSuffices } = options;
    const fleet = retry ? this.fleet : undefined;
    const queued = requestService(this.bus, 'find', { id }, { limitMs, fleet });
    const recorded = this.recorded([id], 0, options).catch(async (error: unknown) => {
      if (queueSuffices && (await queued).found) return UNREAD;
      throw error;
    });
    const [{ byId, reach }, { found }] = await Promise.all([recorded, queued]);
    return { outcomes: byId.get(id) ?? [], found, reach };
  }

  private async recorded(
    ids: string[],
    waitMs: number,
    { limitMs, retry }: LookupOptions,
  ): Promise<{ byId: Map<string, Outcome[]>; reach: Reach | undefined }> {
    const options = { limitMs: limitMs + waitMs, fleet: retry ? this.fleet : undefined };
    const wait = waitMs > 0 ? { wait_ms: waitMs } : {};
    let reach: Reach | undefined;
    try {
      const byId = await lookUpAll(ids, async (request) => {
        const reply = await requestService(this.bus, 'lookup', { ...request, ...wait }, options);
        reach = reply.reach;
        return reply;
      });
      return { byId, reach };
    } catch (error) {
      if (!(error instanceof RecordsUnavailableError)) throw error;
      throw new ApiError('UNAVAILABLE', 'andon could not answer.', { cause: error });
    }
  }
}

/** The latest run of a signal that anything is known of. */
export function latestRun({ outcomes, found }: KnownSignal): number {
  return Math.max(found?.signal.run ?? 0, ...outcomes.map((outcome) => outcome.run));
}
