import { setTimeout as sleep } from 'node:timers/promises';
import { closedLoop, type DriveResult } from './closed-loop';
import { measureCost } from './cpu';
import { OpenLoop } from './open-loop';
import { percentiles } from './percentiles';
import type { Scenario } from './scenarios';
import type { System } from './system';

/** What one system did in one scenario of one round. */
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
  /** The same by process. */
  split: Record<string, number>;
  rssMiB: number;
  ok: number;
  /** By status and code; empty when all went well. */
  notOk: Record<string, number>;
  late: number;
  unsent: number;
  /** What the driver itself took of the machine, in milliseconds per signal. */
  driverCpuMs: number;
}

/** Projections and the export of spans follow an answer; they are part of what it costs. */
const AFTERMATH_MS = 400;
const DRIVER = { name: 'driver', pid: process.pid };

export async function measure(
  system: System,
  scenario: Scenario,
  round: number,
  request: Buffer,
): Promise<Sample> {
  const stopCost = measureCost(system.processes);
  const stopDriver = measureCost([DRIVER]);
  const result = await drive(system, scenario, request);
  const driver = stopDriver();
  await sleep(AFTERMATH_MS);
  const cost = stopCost();
  const { tally, elapsedMs, late, unsent } = result;
  const { ok } = tally.kinds;
  const { p50, p95, p99 } = percentiles(tally.latencies);
  return {
    system: system.name,
    scenario: scenario.name,
    round,
    throughput: (1_000 * ok) / elapsedMs,
    p50,
    p95,
    p99,
    cpuMs: cost.totalCpuMs / ok,
    split: Object.fromEntries(Object.entries(cost.cpuMs).map(([name, ms]) => [name, ms / ok])),
    rssMiB: cost.rssMiB,
    ok,
    notOk: Object.fromEntries(tally.refusals),
    late,
    unsent,
    driverCpuMs: driver.totalCpuMs / ok,
  };
}

/** @returns how many signals it took */
export async function warmUp(
  { port }: System,
  durationMs: number,
  connections: number,
  bytes: Buffer,
): Promise<number> {
  const { sent } = await closedLoop({ port, request: () => bytes }, { connections, durationMs });
  return sent;
}

/** CPU of a system that has nothing to do, in percent of one core. */
export async function measureIdle(
  system: System,
  durationMs: number,
): Promise<{ total: number; split: Record<string, number> }> {
  const startMs = performance.now();
  const stop = measureCost(system.processes);
  await sleep(durationMs);
  const { cpuMs, totalCpuMs } = stop();
  const percent = (ms: number): number => (100 * ms) / (performance.now() - startMs);
  const split = Object.fromEntries(Object.entries(cpuMs).map(([name, ms]) => [name, percent(ms)]));
  return { total: percent(totalCpuMs), split };
}

async function drive(
  { port }: System,
  scenario: Scenario,
  bytes: Buffer,
): Promise<DriveResult & { late: number; unsent: number }> {
  const target = { port, request: () => bytes };
  if (scenario.loop === 'open') return new OpenLoop(target, scenario).run();
  return { ...(await closedLoop(target, scenario)), late: 0, unsent: 0 };
}
