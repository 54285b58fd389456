import type { Bus } from '@tps/bus';
import {
  type CancelReply,
  type CancelRequest,
  type FindReply,
  type FindRequest,
  type FoundSignal,
  LOOKUP_MAX_IDS,
  type LookupReply,
  type LookupRequest,
  type Outcome,
  type ServiceName,
} from '@tps/contracts';
import type { FleetView } from '@tps/service';
import { askService } from '../ask';

interface Asking {
  /** How long each question may take. */
  limitMs: number;
  /** Asks again while the one who would answer is only being restarted. */
  patient: boolean;
}

const USUAL: Asking = { limitMs: 2_000, patient: true };
/** Of a signal that goes to the backup unchecked when nobody answers: its caller is to hear that soon. */
export const HURRIED: Asking = { limitMs: 700, patient: false };
/** kanban asks all workers before it removes anything. */
const CANCEL_LIMIT_MS = 5_000;

/** What is known of one signal: andon has what happened, kanban what is still to happen. */
export interface Known {
  /** Everything recorded, oldest first. */
  outcomes: Outcome[];
  found: FoundSignal | null;
}

/** Questions about signals. Silence of who would know is `UNAVAILABLE`, never taken for "no". */
export class Records {
  constructor(
    private readonly bus: Bus,
    private readonly fleet: FleetView,
  ) {}

  /** @param waitMs hold the answer until every id has a final outcome, at most this long */
  async lookup(ids: string[], waitMs = 0, asking = USUAL): Promise<Map<string, Outcome[]>> {
    const byId = new Map<string, Outcome[]>();
    let open = ids;
    while (open.length > 0) {
      const request: LookupRequest = { ids: open.slice(0, LOOKUP_MAX_IDS) };
      if (waitMs > 0) request.wait_ms = waitMs;
      const how = { ...asking, limitMs: asking.limitMs + waitMs };
      const reply = await this.ask<LookupReply>('andon', this.bus.names.subjects.lookup, request, how);
      for (const { id, outcomes } of reply.records) byId.set(id, outcomes);
      const again = reply.records.length > 0 ? (reply.left_out ?? []) : [];
      open = [...open.slice(LOOKUP_MAX_IDS), ...again];
    }
    return byId;
  }

  async of(id: string, asking = USUAL): Promise<Known> {
    const [byId, { found }] = await Promise.all([this.lookup([id], 0, asking), this.find(id, asking)]);
    return { outcomes: byId.get(id) ?? [], found };
  }

  cancel(id: string): Promise<CancelReply> {
    const request: CancelRequest = { id };
    const how = { ...USUAL, limitMs: CANCEL_LIMIT_MS };
    return this.ask('kanban', this.bus.names.subjects.cancel, request, how);
  }

  private find(id: string, asking: Asking): Promise<FindReply> {
    const request: FindRequest = { id };
    return this.ask('kanban', this.bus.names.subjects.find, request, asking);
  }

  private ask<R>(
    who: ServiceName,
    subject: string,
    request: object,
    { limitMs, patient }: Asking,
  ): Promise<R> {
    const lives = (): boolean => patient && this.fleet.of(who).length > 0;
    return askService<R>(this.bus, who, { subject, request, limitMs, lives });
  }
}

/** What counts of a signal: the first final outcome of its latest run, if that run is `fromRun` or later. */
export function finalOutcome(outcomes: Outcome[], fromRun = 0): Outcome | undefined {
  const finals = outcomes.filter((outcome) => outcome.final && outcome.run >= fromRun);
  const latest = finals.reduce((run, outcome) => Math.max(run, outcome.run), fromRun);
  return finals.find((outcome) => outcome.run === latest);
}
