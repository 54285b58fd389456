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
import type { AndonLog } from './andon-log';
import type { Calls } from './calls';
import type { DeadStore } from './dead-store';
import type { History } from './history';
import { judge, type Verdict, worst } from './judgement';
import { advance, type Light } from './lights';
import { lineStatus } from './line-status';
import { type LineFigures, LineWindow } from './line-window';
import { LINE_RULES, type LineFacts, STATION_RULES, type StationFacts } from './rules';

/** Where the board's facts come from. */
export interface BoardSources {
  fleet: FleetView;
  lines: LineView;
  types: TypesView;
  changes: AndonLog;
  calls: Calls;
  history: History;
  dead: DeadStore;
}

const NOTHING: LineFigures = { processed: 0, failed: 0, error_rate: 0, p99_ms: 0, rate_per_s: 0 };
/** A process may take this long to become ready. */
const STARTING_MS = 10_000;
const stationLine = (service: ServiceName): string => lineName({ kind: 'station', name: service });
const isStation = (line: string): boolean => parseLine(line).kind === 'station';

/**
 * The lights of all lines and stations. A change of colour goes to the andon log, and is due until the log has
 * it; what a restarted board shows first is what the log has.
 */
export class Board {
  private readonly windows = new Map<string, LineWindow>();
  private readonly lights = new Map<string, Light>();
  private readonly due = new Set<string>();
  /** Creation time of the history that has what is not due. */
  private recordedIn: string | undefined;
  private recording = false;

  constructor(
    private readonly sources: BoardSources,
    private readonly startedMs: number,
  ) {}

  take({ outcome, timeMs, superseded }: LoggedOutcome): void {
    if (superseded || !outcome.final) return;
    if (outcome.status === 'failed' || outcome.status === 'expired') this.sources.dead.grown();
    const line = outcome.signal_type;
    // Read again after a restart: a type that comes back later begins without a past.
    if (this.sources.types.isRetired(line)) return;
    const window = this.windows.get(line) ?? new LineWindow();
    this.windows.set(line, window);
    window.add(outcome, timeMs);
  }

  /** The type of a line was retired: the board has neither its light nor its figures any more. */
  forget(line: string): void {
    this.windows.delete(line);
    this.lights.delete(line);
    this.due.delete(line);
  }

  /** The log of outcomes is another one. */
  restart(): void {
    this.windows.clear();
    this.sources.dead.grown();
  }

  /** Judges everything by the facts of this moment. */
  evaluate(nowMs: number): void {
    for (const line of this.lineNames()) this.evaluateLine(line, nowMs);
    for (const service of SERVICES) {
      const verdict = judge(STATION_RULES, this.stationFacts(service, nowMs), 'ready');
      this.judge(stationLine(service), verdict, nowMs);
    }
  }

  /** Judges one line: its circuit or its call has just changed. */
  evaluateLine(line: string, nowMs: number): void {
    if (this.sources.types.isRetired(line)) return this.forget(line);
    this.judge(line, judge(LINE_RULES, this.lineFacts(line, nowMs), 'all within limits'), nowMs);
  }

  /** Writes the changes of colour down that the log does not have. */
  async record(nowMs: number): Promise<void> {
    if (this.recording) return;
    this.recording = true;
    try {
      await this.recordDue(nowMs);
    } finally {
      this.recording = false;
    }
  }

  private async recordDue(nowMs: number): Promise<void> {
    const { changes, calls } = this.sources;
    // A history that replaced another one begins with every light that is not GREEN.
    if (changes.created !== this.recordedIn) {
      for (const [line, { colour }] of this.lights) if (colour !== 'GREEN') this.due.add(line);
      this.recordedIn = changes.created;
    }
    for (const line of this.due) {
      // What is seen of stations before everyone was heard is not worth an entry.
      if (isStation(line) && !this.settled(nowMs)) continue;
      // The act that changed it tells of the colour, too, and comes first.
      if (calls.isUntold(line)) continue;
      const light = this.lightOf(line, nowMs);
      const recorded = await changes.change(line, light, calls.idOf(line));
      if (recorded && this.lightOf(line, nowMs).colour === light.colour) this.due.delete(line);
    }
  }

  /** The worst of all lights. */
  colour(): Colour {
    return worst([...this.lights.values()].map((light) => light.colour));
  }

  /** A line nobody judged since the start shows what it was last known to be. */
  lightOf(line: string, nowMs: number): Light {
    const known = this.lights.get(line);
    if (known) return known;
    const last = this.sources.changes.last(line);
    if (last) {
      const { colour, rule, reason, at, trace_id } = last;
      return { colour, rule, reason, ...(trace_id ? { trace_id } : {}), sinceMs: Date.parse(at), better: 0 };
    }
    return { colour: 'GREEN', rule: 'within_limits', reason: 'nothing known yet', sinceMs: nowMs, better: 0 };
  }

  /** @param kanban what waits, if kanban answers */
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

  private judge(line: string, verdict: Verdict, nowMs: number): void {
    const light = this.lightOf(line, nowMs);
    const next = advance(light, verdict, nowMs);
    this.lights.set(line, next);
    if (next.colour !== light.colour) this.due.add(line);
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
    const { lines, types, calls } = this.sources;
    const figures = this.windows.get(line)?.figures(nowMs) ?? NOTHING;
    if (figures.processed === 0) this.windows.delete(line);
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
      served: !type || !this.settled(nowMs) || this.isServed(line),
      failing: this.failing(line),
      deaf: this.deaf(line),
    };
  }

  private failing(type: string): string[] {
    const workers = this.sources.fleet.of('worker');
    return [...new Set(workers.flatMap(({ vitals }) => vitals.failing?.[type] ?? []))].sort();
  }

  private isServed(type: string): boolean {
    return this.sources.fleet.of('worker').some(({ vitals }) => vitals.types.includes(type));
  }

  private deaf(type: string): number {
    const workers = this.sources.fleet.of('worker');
    return workers.reduce((sum, { vitals }) => sum + (vitals.deaf[type] ?? 0), 0);
  }

  private stationFacts(service: ServiceName, nowMs: number): StationFacts {
    const processes = this.sources.fleet.replicas(service);
    const replicas = processes.filter(({ ready }) => ready).length;
    const unready = processes.filter(({ ready, started_at }) => {
      return !ready && nowMs - Date.parse(started_at) > STARTING_MS;
    });
    const call = this.sources.calls.of(stationLine(service));
    return {
      ...{
        service,
        up: replicas > 0,
        replicas,
        unready: unready.length,
        lost: this.sources.fleet.lost(service),
      },
      settled: this.settled(nowMs),
      dead_percent: service === 'kanban' ? this.sources.dead.percent : 0,
      ...(service === 'kanban' ? this.queueFacts() : {}),
      ...(call ? { call } : {}),
    };
  }

  private queueFacts(): Partial<StationFacts> {
    return { ...this.refusal(), lost_state: this.sources.fleet.lostState(), backup: this.backup() };
  }

  /** No kanban process accepts signals, and none of them has a backup to drain. */
  private refusal(): { refuses?: string } {
    const kanbans = this.sources.fleet.of('kanban').map(({ vitals }) => vitals);
    const reasons = kanbans.flatMap(({ refuses, backup }) => (backup?.reachable ? [] : (refuses ?? [])));
    return reasons[0] !== undefined && reasons.length === kanbans.length ? { refuses: reasons[0] } : {};
  }

  private backup(): { active: boolean; waiting: number } {
    const { fleet } = this.sources;
    const drains = fleet.of('kanban').flatMap(({ vitals }) => vitals.backup ?? []);
    // What others put there passes through within moments.
    const stuck = drains.filter(({ appends }) => !appends).map(({ on_backup }) => on_backup);
    const active = fleet.of('gateway').some(({ vitals }) => vitals.backup?.active);
    return { active, waiting: Math.max(0, ...(active ? drains.map((drain) => drain.on_backup) : stuck)) };
  }

  /** Everyone who lives has had time to say so. */
  private settled(nowMs: number): boolean {
    return nowMs - this.startedMs > SILENT_MS;
  }
}
