import { type CircuitState, METRICS } from '@tps/contracts';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Boards } from './boards';
import type { Health } from './health';
import type { OfferedSignals } from './offered-signals';

const CIRCUIT_VALUE: Record<CircuitState, number> = { Closed: 0, Open: 1, HalfOpen: 2 };

/** Registers the figures of the whole fleet. Only the gateway exports them: a sum over services would be wrong. */
export function registerFleetGauges(registry: Registry, health: Health, boards: Boards): void {
  const registers = [registry];
  const kaizen = () => boards.scraped('kaizen');
  new Gauge({
    ...METRICS.signalsProcessed,
    registers,
    async collect() {
      this.set((await kaizen())?.total_processed ?? 0);
    },
  });
  new Gauge({
    ...METRICS.errorRate,
    registers,
    async collect() {
      this.set((await kaizen())?.error_rate_5m ?? 0);
    },
  });
  new Gauge({
    ...METRICS.queueDepth,
    registers,
    async collect() {
      this.set(await health.queueDepth());
    },
  });
  new Gauge({
    ...METRICS.circuitState,
    registers,
    collect() {
      this.reset();
      for (const [signal_type, { state }] of Object.entries(health.circuits())) {
        this.set({ signal_type }, CIRCUIT_VALUE[state]);
      }
    },
  });
}

/** The parts that the figures of the flow come from. */
export interface FlowSources {
  counts: OfferedSignals;
  boards: Boards;
  types: { known(): string[] };
}

/** Registers the figures of the flow: offered signals, the longest wait and the loss. Retired types have none. */
export function registerFlowGauges(registry: Registry, { counts, boards, types }: FlowSources): void {
  const registers = [registry];
  const ofKnown = <T>(figures: Iterable<[type: string, figure: T]>): [type: string, figure: T][] => {
    const known = new Set(types.known());
    return [...figures].filter(([type]) => known.has(type));
  };
  new Gauge({
    ...METRICS.oldestWait,
    registers,
    async collect() {
      const lines = (await boards.scraped('andon'))?.lines ?? {};
      this.reset();
      for (const [signal_type, { oldest_age_ms }] of Object.entries(lines)) {
        this.set({ signal_type }, (oldest_age_ms ?? 0) / 1_000);
      }
    },
  });
  new Gauge({
    ...METRICS.maxWait,
    registers,
    async collect() {
      const lines = (await boards.scraped('andon'))?.lines ?? {};
      this.reset();
      for (const [signal_type, { max_wait_ms }] of Object.entries(lines)) {
        if (max_wait_ms !== undefined) this.set({ signal_type }, max_wait_ms / 1_000);
      }
    },
  });
  new Counter({
    ...METRICS.offered,
    registers,
    collect() {
      this.reset();
      for (const [signal_type, total] of ofKnown(counts.offered.totals())) this.inc({ signal_type }, total);
    },
  });
  new Counter({
    ...METRICS.lost,
    registers,
    async collect() {
      const figures = (await boards.scraped('kaizen'))?.types ?? {};
      this.reset();
      for (const [signal_type, total] of ofKnown(counts.full.totals())) {
        this.inc({ signal_type, cause: 'refused' }, total);
      }
      for (const [signal_type, { expired }] of ofKnown(Object.entries(figures))) {
        this.inc({ signal_type, cause: 'expired' }, expired);
      }
    },
  });
}

/** Measures how long requests take, in seconds. Each of the few label sets is looked up once. */
export class RequestDurations {
  private readonly histogram: Histogram<'method' | 'route' | 'status'>;
  private readonly children = new Map<string, { observe: (seconds: number) => void }>();

  constructor(registry: Registry) {
    this.histogram = new Histogram({
      ...METRICS.httpRequestDuration,
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers: [registry],
    });
  }

  observe(method: string, route: string, status: number, ms: number): void {
    const key = `${method} ${route} ${status}`;
    let child = this.children.get(key);
    if (!child) {
      child = this.histogram.labels({ method, route, status: String(status) });
      this.children.set(key, child);
    }
    child.observe(ms / 1000);
  }
}
