import type { CircuitState } from '@tps/contracts';
import type { LoadSettings } from './settings';

export interface FleetHealth {
  /** Signals that are accepted and unfinished. */
  queueDepth: number;
  /** The circuit of the type under load, since that of another type may be open for other reasons. */
  circuit: CircuitState;
}

const LIMIT_MS = 2_000;

/** Reads health and figures of the fleet. Null when it does not answer in time, which is a result of a load test. */
export class HealthReader {
  constructor(
    private readonly settings: LoadSettings,
    private readonly signalType: string,
  ) {}

  async read(): Promise<FleetHealth | null> {
    const health = await this.get<{
      queue_depth: number;
      circuit_state: CircuitState;
      circuits?: Record<string, { state: CircuitState }>;
    }>('/health');
    if (typeof health?.queue_depth !== 'number') return null;
    const circuit = health.circuits?.[this.signalType]?.state ?? health.circuit_state;
    return { queueDepth: health.queue_depth, circuit };
  }

  /** The fleet's own p99, which covers the work alone. */
  async p99(): Promise<number | null> {
    return (await this.get<{ p99_duration_ms?: number }>('/metrics'))?.p99_duration_ms ?? null;
  }

  private async get<T>(path: string): Promise<T | null> {
    const { httpPort, token } = this.settings;
    const headers = { accept: 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
    try {
      const signal = AbortSignal.timeout(LIMIT_MS);
      const response = await fetch(`http://127.0.0.1:${httpPort}${path}`, { headers, signal });
      return (await response.json()) as T;
    } catch {
      return null;
    }
  }
}
