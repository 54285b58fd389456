import type { CircuitState } from '@tps/contracts';
import type { LoadSettings } from './settings';

export interface FleetHealth {
  /** Accepted and unfinished. */
  queueDepth: number;
  /** Of the type that is sent: another's may be open for reasons of its own. */
  circuit: CircuitState;
}

const LIMIT_MS = 2_000;

/** What the fleet says of itself. Null when it says nothing in time, which under load is a finding, not a fault. */
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

  /** The fleet's own figure: the work alone, over its own window. */
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
