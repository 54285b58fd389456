import {
  type AndonBoard,
  circuitState,
  type Colour,
  type KanbanBoard,
  lineName,
  type LineStatus,
  parseLine,
  type ServiceName,
  SERVICES,
  type StationStatus,
  WIRE_VERSION,
} from '@tps/contracts';
import { type FleetView, type LineView, type LoggedOutcome, SILENT_MS, type TypesView } from '@tps/fleet';
import { blockedWorkers } from './blocked-workers';
import type { AndonLog } from './andon-log';
import type { Calls } from './calls';
import { circuitMark } from './causes';
import type { DeadLetterUsage } from './dead-letter-usage';
import type { AndonHistory } from './andon-history';
import { deafOf, failingOf, isServed, queueFacts, replicaFacts } from './fleet-facts';
import { assess, rank, type Assessment, worst } from './assessment';
import { nextLight, isSameCause, type Light } from './light';
import { LineFlows } from './flow/line-flows';
import { lineStatus } from './line-status';
import { LineWindow, type LineWindowRecord } from './line-window';
import { fineReason, LINE_RULES, type LineFacts, STATION_RULES } from './light-rules';
import type { StationFacts } from './station-facts';

/** The sources of the board's facts. */
export interface BoardSources {
  fleet: FleetView;
  lines: LineView;
  types: TypesView;
  changes: AndonLog;
  calls: Calls;
  history: AndonHistory;
  dead: DeadLetterUsage;
  records: { readonly shortage: string | undefined };
}

/** The figures of all lines, as a snapshot has them. */
export type FiguresRecord = [line: string, window: LineWindowRecord][];

const NOTHING = new LineWindow().figures(0);
const stationLine = (service: ServiceName): string => lineName({ kind: 'station', name: service });
const isStation = (line: string): boolean => parseLine(line).kind === 'station';

/**
 * The lights of all lines and stations. A change of a light goes to the andon log, and counts as unrecorded until the log
 * has it. A restarted board first shows what the log has.
 */
export class AndonBoardState {
  private readonly windows = new Map<string, LineWindow>();
  private readonly flows: LineFlows;
  private readonly lights = new Map<string, Light>();
  private readonly unrecorded = new Set<string>();
  /** Creation time of the history that has all other changes. */
  private recordedIn: string | undefined;
  private recording = false;

  constructor(
    private readonly sources: BoardSources,
    private readonly startedMs: number,
  ) {
    this.flows = new LineFlows(sources);
  }

  take({ outcome, timeMs, superseded }: LoggedOutcome): void {
    const { signal_type: line, status, final } = outcome;
    if (final && (status === 'failed' || status === 'expired')) this.sources.dead.markChanged();
    // A start may read these outcomes again, but a type that comes back later begins without a past.
    if (this.sources.types.isRetired(line)) return;
    this.flows.take(outcome, timeMs);
    if (superseded || !final) return;
    const window = this.windows.get(line) ?? new LineWindow();
    this.windows.set(line, window);
    window.add(outcome, timeMs);
  }

  /** The type of a line was retired: the board has neither its light nor its figures any more. */
  forget(line: string): void {
    this.windows.delete(line);
    this.flows.forget(line);
    this.lights.delete(line);
    this.unrecorded.delete(line);
  }

  /** The log of outcomes is another one. */
  restart(): void {
    this.windows.clear();
    this.sources.dead.markChanged();
  }

  /** The figures of the lines, for a snapshot. */
  snapshot(): FiguresRecord {
    return [...this.windows].map(([line, window]) => [line, window.record()]);
  }

  restore(record: FiguresRecord): void {
    for (const [line, window] of record) this.windows.set(line, LineWindow.restore(window));
  }

  /** Assesses everything by the facts of this moment. */
  assessAll(nowMs: number): void {
    for (const line of this.lineNames()) this.assessLine(line, nowMs);
    for (const service of SERVICES) {
      const facts = this.stationFacts(service, nowMs);
      // Right after a start, silence is neither a fault nor a proof that all is well.
      const assessment = assess(STATION_RULES, facts, facts.up ? 'ready' : 'not heard from yet');
      this.showLight(stationLine(service), assessment, nowMs);
    }
  }

  /** Assesses one line: its circuit or its call has just changed. */
  assessLine(line: string, nowMs: number): void {
    if (this.sources.types.isRetired(line)) return this.forget(line);
    const facts = this.lineFacts(line, nowMs);
    const record = this.sources.lines.circuit(line);
    const circuit = circuitMark(record);
    const assessment = assess(LINE_RULES, facts, fineReason(facts));
    const state = { ...(circuit ? { circuit } : {}), ...(record ? { circuitReason: record.reason } : {}) };
    this.showLight(line, { ...assessment, ...state }, nowMs);
  }

  /** Writes down the changes of lights that the log does not have. */
  async record(nowMs: number): Promise<void> {
    if (this.recording) return;
    this.recording = true;
    try {
      await this.recordUnrecorded(nowMs);
    } finally {
      this.recording = false;
    }
  }

  private async recordUnrecorded(nowMs: number): Promise<void> {
    const { changes, calls } = this.sources;
    // A history that replaced another one begins with every light that is not GREEN.
    if (changes.created !== this.recordedIn) {
      for (const [line, { colour }] of this.lights) if (colour !== 'GREEN') this.unrecorded.add(line);
      this.recordedIn = changes.created;
    }
    for (const line of this.unrecorded) {
      // The event of the act that changed the light has its colour, too, and comes first.
      if (calls.hasPending(line)) continue;
      const light = this.lightOf(line, nowMs);
      // Before every process was heard, a station's light says nothing.
      if (isStation(line) && !this.hasHeardEveryone(nowMs)) continue;
      const recorded = await changes.recordColour(line, light, { id: calls.idOf(line), nowMs });
      const now = this.lightOf(line, nowMs);
      if (recorded && now.colour === light.colour && isSameCause(now, light)) this.unrecorded.delete(line);
    }
  }

  /** The worst of all lights. */
  colour(): Colour {
    return worst([...this.lights.values()].map((light) => light.colour));
  }

  /** A line that was not assessed since the start shows what the history has last. */
  lightOf(line: string, nowMs: number): Light {
    const light = this.lights.get(line) ?? this.sources.changes.light(line);
    if (light) return light;
    return { colour: 'GREEN', rule: 'within_limits', reason: 'nothing known yet', sinceMs: nowMs, better: 0 };
  }

  /** @param kanban the queue's figures, or null while kanban does not answer */
  status(nowMs: number, kanban: KanbanBoard | null): AndonBoard {
    const { calls, changes, history } = this.sources;
    const lines = this.lineNames().map((line) => [line, this.lineStatus(line, nowMs, kanban)] as const);
    const stations = SERVICES.map((service) => [service, this.stationStatus(service, nowMs)] as const);
    return {
      v: WIRE_VERSION,
      at: new Date(nowMs).toISOString(),
      colour: worst([...lines, ...stations].map(([, { colour }]) => colour)),
      lines: Object.fromEntries(lines),
      stations: Object.fromEntries(stations) as Record<ServiceName, StationStatus>,
      calls: calls.open().map((call) => ({
        ...call,
        age_ms: Math.max(0, nowMs - Date.parse(call.opened_at)),
        stopped: this.sources.lines.stopped(call.line, nowMs),
      })),
      answers: history.answers(),
      position: changes.position,
    };
  }

  private lineStatus(line: string, nowMs: number, kanban: KanbanBoard | null): LineStatus {
    const { lines } = this.sources;
    const [light, facts] = [this.shown(line, nowMs), this.lineFacts(line, nowMs)];
    const [circuit, record] = [lines.state(line, nowMs), lines.circuit(line)];
    const refused = this.refused(line);
    return lineStatus(line, { light, facts, circuit, record, refused, kanban }, nowMs);
  }

  private refused(type: string): number {
    const gateways = this.sources.fleet.of('gateway');
    return gateways.reduce((sum, { vitals }) => sum + (vitals.refused_5m?.[type] ?? 0), 0);
  }

  private stationStatus(service: ServiceName, nowMs: number): StationStatus {
    const { up, replicas } = this.stationFacts(service, nowMs);
    const { trace_id: _none, ...light } = this.shown(stationLine(service), nowMs);
    return { ...light, up, replicas, instances: this.sources.fleet.replicas(service) };
  }

  private shown(
    line: string,
    nowMs: number,
  ): Pick<LineStatus, 'colour' | 'rule' | 'reason' | 'since' | 'trace_id' | 'andon_id'> {
    const { colour, rule, reason, sinceMs, trace_id } = this.lightOf(line, nowMs);
    const andon_id = this.sources.calls.idOf(line);
    const since = new Date(sinceMs).toISOString();
    const named = { ...(trace_id ? { trace_id } : {}), ...(andon_id ? { andon_id } : {}) };
    return { colour, rule, reason, since, ...named };
  }

  private showLight(line: string, assessment: Assessment, nowMs: number): void {
    const light = this.lightOf(line, nowMs);
    // Silence right after a start makes no light better.
    if (rank(assessment.colour) < rank(light.colour) && !this.hasHeardEveryone(nowMs)) return;
    const next = nextLight(light, assessment, nowMs);
    this.lights.set(line, next);
    if (next.colour !== light.colour || !isSameCause(light, next)) this.unrecorded.add(line);
  }

  /** Known types, and any other that has outcomes, a circuit or a light that is not GREEN, unless it was retired. */
  private lineNames(): string[] {
    const { types, lines, changes } = this.sources;
    const lit = [...this.lights].filter(([, light]) => light.colour !== 'GREEN').map(([name]) => name);
    const abnormal = [...lit, ...changes.abnormal()];
    const names = new Set([...types.known(), ...lines.known(), ...this.windows.keys(), ...abnormal]);
    return [...names].filter((name) => !isStation(name) && !types.isRetired(name));
  }

  private lineFacts(line: string, nowMs: number): LineFacts {
    const { lines, types, calls, fleet } = this.sources;
    const shown = this.lights.get(line);
    const figures = this.windows.get(line)?.figures(nowMs) ?? NOTHING;
    if (this.windows.get(line)?.isOver(nowMs)) this.windows.delete(line);
    const record = lines.circuit(line);
    const type = types.get(line);
    const call = calls.of(line);
    return {
      ...figures,
      circuit: circuitState(record, nowMs),
      latched: record?.state === 'open' && record.latch !== undefined,
      ...(record ? { circuit_reason: record.reason } : {}),
      ...(record?.trace_id ? { circuit_trace: record.trace_id } : {}),
      ...(call ? { call } : {}),
      stopped: lines.stopped(line, nowMs),
      ...(type?.standard_ms ? { standard_ms: type.standard_ms } : {}),
      served: !type || !this.hasHeardEveryone(nowMs) || isServed(fleet, line),
      failing: failingOf(fleet, line),
      deaf: deafOf(fleet, line),
      flow: this.flows.facts(line, figures, nowMs),
      ...(shown ? { shown } : {}),
    };
  }

  private stationFacts(service: ServiceName, nowMs: number): StationFacts {
    const { fleet, calls, dead, records } = this.sources;
    const call = calls.of(stationLine(service));
    return {
      ...replicaFacts(fleet, service, nowMs),
      settled: this.hasHeardEveryone(nowMs),
      dead_percent: service === 'kanban' ? dead.percent : 0,
      ...(service === 'andon' && records.shortage ? { records_short: records.shortage } : {}),
      ...(service === 'kanban' ? queueFacts(fleet) : {}),
      ...(service === 'worker' ? { blocked: blockedWorkers(fleet) } : {}),
      ...(call ? { call } : {}),
    };
  }

  /** Every living process has had time to be heard. */
  hasHeardEveryone(nowMs: number): boolean {
    return nowMs - this.startedMs > SILENT_MS;
  }
}
