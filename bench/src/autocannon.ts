import { join } from 'node:path';
import { Child } from './child';
import type { Driven } from './sample';
import { PEERS_FOLDER } from './settings';

/** What bench/peers/autocannon.mjs sends. */
interface Figures {
  ok: number;
  failed: number;
  perSecond: number;
  /** autocannon counts in whole milliseconds. */
  p50: number;
  p99: number;
  cpuMs: number;
}

/**
 * Drives a closed loop with autocannon, a load generator that others use, to check the bench's own driver. It runs in a
 * process of its own.
 */
export async function runAutocannon(
  port: number,
  { connections, durationMs }: { connections: number; durationMs: number },
  body: string,
): Promise<Driven> {
  const args = [port, connections, durationMs / 1_000, body].map(String);
  const child = new Child('autocannon', join(PEERS_FOLDER, 'autocannon.mjs'), { args });
  try {
    const { ok, failed, perSecond, p50, p99, cpuMs } = (await child.firstMessage()) as Figures;
    const notOk: Record<string, number> = failed > 0 ? { 'not 2xx': failed } : {};
    return {
      throughput: perSecond,
      p50,
      p95: NaN,
      p99,
      ok,
      notOk,
      late: 0,
      unsent: 0,
      driverCpuMs: cpuMs / ok,
    };
  } finally {
    await child.stop();
  }
}
