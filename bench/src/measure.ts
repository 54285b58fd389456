import { setTimeout as sleep } from 'node:timers/promises';
import { runAutocannon } from './autocannon';
import { closedLoop, type DriveResult } from './closed-loop';
import { measureCost } from './cpu';
import { OpenLoop } from './open-loop';
import { percentiles } from './percentiles';
import { bodyOf } from './request';
import type { Driven, Sample } from './sample';
import type { Scenario } from './scenarios';
import type { System } from './system';

/** Projections and the export of spans follow an answer, and are part of its cost. */
const SETTLE_MS = 400;
const DRIVER = { name: 'driver', pid: process.pid };

export async function measure(
  system: System,
  scenario: Scenario,
  round: number,
  request: Buffer,
): Promise<Sample> {
  const stopCost = measureCost(system.processes);
  const driven = await drive(system, scenario, request);
  await sleep(SETTLE_MS);
  const cost = stopCost();
  return {
    ...driven,
    system: system.name,
    scenario: scenario.name,
    round,
    cpuMs: cost.totalCpuMs / driven.ok,
    split: Object.fromEntries(Object.entries(cost.cpuMs).map(([name, ms]) => [name, ms / driven.ok])),
    rssMiB: cost.rssMiB,
  };
}

/** @returns the number of signals sent */
export async function warmUp(
  { port }: System,
  durationMs: number,
  connections: number,
  bytes: Buffer,
): Promise<number> {
  const { sent } = await closedLoop({ port, request: () => bytes }, { connections, durationMs });
  return sent;
}

/** The CPU that a system needs without load, in percent of one core. */
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

async function drive({ port }: System, scenario: Scenario, request: Buffer): Promise<Driven> {
  if (scenario.loop === 'autocannon') return runAutocannon(port, scenario, bodyOf(request));
  const target = { port, request: () => request };
  const stopDriver = measureCost([DRIVER]);
  const result: DriveResult & { late?: number; unsent?: number } =
    scenario.loop === 'open'
      ? await new OpenLoop(target, scenario).run()
      : await closedLoop(target, scenario);
  const { counts, elapsedMs, late = 0, unsent = 0 } = result;
  const { ok } = counts.kinds;
  const { p50, p95, p99 } = percentiles(counts.latencies);
  return {
    throughput: (1_000 * ok) / elapsedMs,
    p50,
    p95,
    p99,
    ok,
    notOk: Object.fromEntries(counts.refusals),
    late,
    unsent,
    driverCpuMs: stopDriver().totalCpuMs / ok,
  };
}
