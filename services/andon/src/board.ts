import type { KvView } from '@tps/bus';
import {
  type AndonBoard,
  type CircuitRecord,
  circuitState,
  type Colour,
  type ServiceName,
  type StationStatus,
  type TypeRecord,
  WIRE_VERSION,
  type WorkerVitals,
} from '@tps/contracts';
import { type FleetView, type LoggedOutcome, SILENT_MS } from '@tps/service';
import type { AndonLog } from './andon-log';
import { advance, type Light } from './lights';
import { type LineFigures, LineWindow } from './line-window';
import { judgeLine, judgeStation, type LineFacts, type Verdict, worst } from './rules';

/** Where the board's facts come from. */
export interface BoardSources {
  fleet: FleetView;
  circuits: KvView<CircuitRecord>;
  types: KvView<TypeRecord>;
  changes: AndonLog;
}

const NOTHING: LineFigures = { processed: 0, failed: 0, error_rate: 0, p99_ms: 0 };
/** No type can be called so. */
const STATION = 'station:';
const stationLine = (service: ServiceName): string => STATION + service;

/**
 * The lights of all lines and stations. A change of colour goes to the andon log, and is due until the log has
 * it; what a restarted board shows first is what the log has.
 */
export class Board {
  private readonly windows = new Map<string, LineWindow>();
  private readonly lights = new Map<string, Light>();
  private readonly due = new Set<string>();
  private recording = false;

  constructor(
    private readonly sources: BoardSources,
    private readonly startedMs: number,
  ) {}

  take({ outcome, timeMs, superseded }: LoggedOutcome): void {
    if (superseded || !outcome.final) return;
    const line = outcome.signal_type;
    const window = this.windows.get(line) ?? new LineWindow();
    this.windows.set(line, window);
    window.add(outcome, timeMs);
  }

  /** Judges everything by the facts of this moment. */
  evaluate(nowMs: number): void {
    for (const [line, facts] of this.lines(nowMs)) this.judge(line, judgeLine(facts), nowMs);
    const settled = this.settled(nowMs);
    for (const [service, station] of this.stations()) {
      this.judge(stationLine(service), judgeStation({ service, ...station, settled }), nowMs);
    }
  }

  /** Writes the changes of colour down that the log does not have. */
  async record(nowMs: number): Promise<void> {
    // What is seen before everyone was heard is not worth an entry.
    if (this.recording || !this.settled(nowMs)) return;
    this.recording = true;
    for (const line of this.due) {
      const light = this.lightOf(line, nowMs);
      const recorded = await this.sources.changes.append(line, light);
      if (recorded && this.lightOf(line, nowMs).colour === light.colour) this.due.delete(line);
    }
    this.recording = false;
  }

  /** The worst of all lights. */
  colour(): Colour {
    return worst([...this.lights.values()].map((light) => light.colour));
  }

  status(nowMs: number): AndonBoard {
    const lines = [...this.lines(nowMs)].map(([line, facts]) => {
      const { error_rate, p99_ms, processed, circuit } = facts;
      const { colour, rule, reason, sinceMs, trace_id } = this.lightOf(line, nowMs);
      const light = { colour, rule, reason, since: new Date(sinceMs).toISOString() };
      const figures = { error_rate, p99_ms, processed_5m: processed, circuit };
      return [line, { ...light, ...(trace_id ? { trace_id } : {}), ...figures }] as const;
    });
    const stations = this.stations().map(([service, station]) => {
      return [service, { colour: this.lightOf(stationLine(service), nowMs).colour, ...station }] as const;
    });
    return {
      v: WIRE_VERSION,
      colour: worst([...lines, ...stations].map(([, { colour }]) => colour)),
      lines: Object.fromEntries(lines),
      stations: Object.fromEntries(stations) as Record<ServiceName, StationStatus>,
    };
  }

  private judge(line: string, verdict: Verdict, nowMs: number): void {
    const light = this.lightOf(line, nowMs);
    const next = advance(light, verdict, nowMs);
    this.lights.set(line, next);
    if (next.colour !== light.colour) this.due.add(line);
  }

  /** A line nobody judged since the start shows what it was last known to be. */
  private lightOf(line: string, nowMs: number): Light {
    const known = this.lights.get(line);
    if (known) return known;
    const last = this.sources.changes.last(line);
    if (last) {
      const { colour, rule, reason, at, trace_id } = last;
      return { colour, rule, reason, ...(trace_id ? { trace_id } : {}), sinceMs: Date.parse(at), better: 0 };
    }
    return { colour: 'GREEN', rule: 'within_limits', reason: 'nothing known yet', sinceMs: nowMs, better: 0 };
  }

  /** Registered types, and any other that has outcomes, a circuit or a light that is not GREEN. */
  private lines(nowMs: number): Map<string, LineFacts> {
    const { types, circuits, changes } = this.sources;
    const lit = [...this.lights].filter(([, light]) => light.colour !== 'GREEN').map(([name]) => name);
    const abnormal = [...lit, ...changes.abnormal()];
    const names = new Set([...types.keys(), ...circuits.keys(), ...this.windows.keys(), ...abnormal]);
    const lines = new Map<string, LineFacts>();
    for (const name of names) {
      if (name.startsWith(STATION)) continue;
      const figures = this.windows.get(name)?.figures(nowMs) ?? NOTHING;
      if (figures.processed === 0) this.windows.delete(name);
      lines.set(name, this.factsOf(name, figures, nowMs));
    }
    return lines;
  }

  private factsOf(line: string, figures: LineFigures, nowMs: number): LineFacts {
    const record = this.sources.circuits.get(line);
    const type = this.sources.types.get(line);
    return {
      ...figures,
      circuit: circuitState(record, nowMs),
      ...(record ? { circuit_reason: record.reason } : {}),
      ...(record?.trace_id ? { circuit_trace: record.trace_id } : {}),
      ...(type?.standard_ms ? { standard_ms: type.standard_ms } : {}),
      served: !type || !this.settled(nowMs) || this.isServed(line),
    };
  }

  private isServed(type: string): boolean {
    return this.sources.fleet.of<WorkerVitals>('worker').some(({ vitals }) => vitals.types?.includes(type));
  }

  private stations(): [ServiceName, { up: boolean; replicas: number }][] {
    return Object.entries(this.sources.fleet.stations()) as [
      ServiceName,
      { up: boolean; replicas: number },
    ][];
  }

  /** Everyone who lives has had time to say so. */
  private settled(nowMs: number): boolean {
    return nowMs - this.startedMs > SILENT_MS;
  }
}
