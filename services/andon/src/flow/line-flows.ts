import { maxWaitMs, type Outcome, type OutcomeStatus } from '@tps/contracts';
import type { FleetView, LineView, TypesView } from '@tps/fleet';
import type { LineFigures } from '../line-window';
import { type FlowFacts, flowVitals, lostPercent, offeredOf } from './flow-facts';
import { Movement } from './movement';

/** Outcomes of attempts; a signal that expired or was cancelled did not move. */
const MOVES: ReadonlySet<OutcomeStatus> = new Set(['succeeded', 'failed', 'rejected', 'retrying']);

/** Collects the facts about the flow of each line. */
export class LineFlows {
  private readonly movements = new Map<string, Movement>();

  constructor(private readonly sources: { fleet: FleetView; lines: LineView; types: TypesView }) {}

  take({ signal_type, status }: Outcome, timeMs: number): void {
    if (MOVES.has(status)) this.movementOf(signal_type).finished(timeMs);
  }

  forget(line: string): void {
    this.movements.delete(line);
  }

  facts(line: string, figures: LineFigures, nowMs: number): FlowFacts {
    const { fleet, lines, types } = this.sources;
    const { startedMs, in_flight, ...vitals } = flowVitals(fleet, line, nowMs);
    const runs = lines.state(line, nowMs) === 'Closed';
    const works = runs && (vitals.waiting > 0 || in_flight > 0);
    const offered = offeredOf(vitals, figures);
    return {
      ...vitals,
      offered,
      oldest_ms: runs ? vitals.oldest_ms : null,
      max_wait_ms: maxWaitMs(types.get(line)),
      still_ms: this.movementOf(line).look({ works, startedMs }, nowMs),
      lost_percent: lostPercent(figures, { ...vitals, offered }),
    };
  }

  private movementOf(line: string): Movement {
    const movement = this.movements.get(line) ?? new Movement();
    this.movements.set(line, movement);
    return movement;
  }
}
