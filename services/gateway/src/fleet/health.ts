import type { Bus } from '@tps/bus';
import { type CircuitState, stoppedSince, worstState } from '@tps/contracts';
import type { FleetView, LineView, StationPresence } from '@tps/fleet';
import type { BoardSummary, HealthReport } from '../api/schemas';
import type { SignalTypes } from '../signals/signal-types';
import type { GatewayBackup } from '../backup/gateway-backup';
import { summaryOf } from './board-summary';
import type { Boards } from './boards';

const BOARD_LIMIT_MS = 500;
/** The rate is over five minutes, so an answer that is a second old is good enough. */
const ERROR_RATE_AGE_MS = 1_000;
/** Probes may ask for the health many times a second; the lights are assessed once a second. */
const BOARD_AGE_MS = 1_000;
const MAX_ERROR_PERCENT = 50;
const NO_TYPE = 'no signal type is known yet';

export interface HealthDeps {
  bus: Bus;
  fleet: FleetView;
  boards: Boards;
  types: SignalTypes;
  lines: LineView;
  backup: GatewayBackup | undefined;
}

/** The health of the whole fleet, as this gateway sees it. */
export class Health {
  constructor(private readonly deps: HealthDeps) {}

  /** @returns 503 as status only when no work of any type can be accepted */
  async report(): Promise<{ status: 200 | 503; body: HealthReport }> {
    const figures = [this.queueDepth(), this.errorRate(), this.board()] as const;
    const [queue_depth, error_rate, board] = await Promise.all(figures);
    const circuits = this.circuits();
    const stations = this.stations();
    const states = Object.values(circuits).map(({ state }) => state);
    const { bus, types } = this.deps;
    const reasons = [
      ...(bus.connected ? [] : ['not connected to NATS']),
      ...(types.known().length > 0 ? [] : [NO_TYPE]),
      ...missing(stations).map((service) => this.absence(service)),
      ...open(circuits).map((type) => `the circuit of ${type} is open`),
      ...(error_rate > MAX_ERROR_PERCENT ? [`the error rate is above ${MAX_ERROR_PERCENT} %`] : []),
    ];
    const takesAny = types.known().some((type) => circuits[type]?.state !== 'Open' || this.holds(type));
    const queues = (bus.connected && stations.kanban.up) || this.backedUp;
    const accepts = queues && takesAny;
    const body = {
      healthy: reasons.length === 0,
      circuit_state: worstState(states),
      queue_depth,
      active_workers: this.activeWorkers(),
      error_rate,
      timestamp: new Date().toISOString(),
      reasons,
      circuits,
      stations,
      board,
    };
    return { status: accepts ? 200 : 503, body };
  }

  /** Why this gateway should get no requests; empty when it should. */
  problems(): string[] {
    const { bus, fleet, lines, types } = this.deps;
    const noType = types.known().length > 0 ? [] : [NO_TYPE];
    if (this.backedUp) return bus.connected ? noType : [];
    if (!bus.connected) return ['not connected to NATS'];
    const kanban = fleet.stations().kanban.up ? [] : [this.absence('kanban')];
    return [...kanban, ...noType, ...types.problems(), ...lines.problems()];
  }

  /** The reason why no process of a service is ready. */
  private absence(service: string): string {
    const beats = service === 'kanban' ? this.deps.fleet.of('kanban') : [];
    const refuses = beats.flatMap(({ vitals }) => vitals.refuses ?? [])[0];
    return refuses ? `kanban takes no signals: ${refuses}` : `${service} is missing`;
  }

  /** The state of each line, with the reason and the id of the call to acknowledge or resume. */
  circuits(): HealthReport['circuits'] {
    const { types, lines } = this.deps;
    const now = Date.now();
    const names = [...new Set([...types.known(), ...lines.known()])].sort();
    return Object.fromEntries(names.map((type) => [type, circuitOf(lines, type, now)]));
  }

  async queueDepth(): Promise<number> {
    const live = await this.deps.boards.latest('kanban', BOARD_LIMIT_MS);
    if (live?.fresh) return live.board.queue_depth;
    const beats = this.deps.fleet.of('kanban').map(({ vitals }) => vitals.queue_depth);
    return beats.length > 0 ? Math.max(...beats) : (live?.board.queue_depth ?? 0);
  }

  private async errorRate(): Promise<number> {
    const kaizen = await this.deps.boards.latest('kaizen', BOARD_LIMIT_MS, ERROR_RATE_AGE_MS);
    return kaizen?.board.error_rate_5m ?? 0;
  }

  /** The board as it is now. An old one may show a colour that is no longer true, so it counts as none. */
  private async board(): Promise<BoardSummary | null> {
    const andon = await this.deps.boards.latest('andon', BOARD_LIMIT_MS, BOARD_AGE_MS);
    return andon?.fresh ? summaryOf(andon.board) : null;
  }

  /** Whether a stopped line accepts signals that nobody waits for. */
  private holds(signal_type: string): boolean {
    return this.deps.lines.refusal({ id: '', signal_type, async: true }, Date.now()) === null;
  }

  /** Whether the backup accepts signals while kanban does not. */
  private get backedUp(): boolean {
    return this.deps.backup?.reachable ?? false;
  }

  private activeWorkers(): number {
    const ready = this.deps.fleet.of('worker').filter((beat) => beat.ready);
    return ready.reduce((sum, { vitals }) => sum + vitals.slots, 0);
  }

  /** Counts this gateway as up, whatever its own readiness says: it answers. */
  private stations(): Record<string, StationPresence> & Record<'kanban', StationPresence> {
    const stations = this.deps.fleet.stations();
    return { ...stations, gateway: { up: true, replicas: Math.max(1, stations.gateway.replicas) } };
  }
}

function circuitOf(lines: LineView, type: string, nowMs: number): HealthReport['circuits'][string] {
  const state = lines.state(type, nowMs);
  const stop = lines.stop(type);
  const circuit = lines.circuit(type);
  const andon_id = stop?.call?.id ?? (state === 'Closed' ? undefined : circuit?.andon_id);
  const named = andon_id ? { andon_id } : {};
  const since = stoppedSince(stop, nowMs);
  if (since && stop?.call) return { state, reason: stop.call.reason, since, ...named };
  return circuit ? { state, reason: circuit.reason, since: circuit.since, ...named } : { state, ...named };
}

function missing(stations: Record<string, StationPresence>): string[] {
  return Object.keys(stations).filter((service) => !stations[service]?.up);
}

function open(circuits: Record<string, { state: CircuitState }>): string[] {
  return Object.keys(circuits).filter((type) => circuits[type]?.state === 'Open');
}
