/** The figures of one system in one scenario of one round. */
export interface Sample {
  system: string;
  scenario: string;
  round: number;
  throughput: number;
  p50: number;
  p95: number;
  p99: number;
  /** CPU of all server processes, in milliseconds per signal. */
  cpuMs: number;
  /** CPU by process, in milliseconds per signal. */
  split: Record<string, number>;
  rssMiB: number;
  ok: number;
  /** Signals that did not succeed, by status and code. */
  notOk: Record<string, number>;
  late: number;
  unsent: number;
  /** CPU of the driver itself, in milliseconds per signal. */
  driverCpuMs: number;
}

/** The figures that the driver of the load sees. */
export type Driven = Omit<Sample, 'system' | 'scenario' | 'round' | 'cpuMs' | 'split' | 'rssMiB'>;
