import { readFile } from 'node:fs/promises';
import type { Fleet } from '../fleet';

const SAMPLE_MS = 500;
const KIB = 1024;

/** How far the resident memory of some parts of a fleet grows, from now until `stop`. */
export class MemoryWatch {
  private readonly first = new Map<string, number>();
  private readonly most = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;

  private constructor(private readonly pids: ReadonlyMap<string, number>) {
    this.timer = setInterval(() => void this.sample().catch(() => undefined), SAMPLE_MS);
  }

  static async of(fleet: Fleet, parts: readonly string[]): Promise<MemoryWatch> {
    const watch = new MemoryWatch(
      new Map(await Promise.all(parts.map(async (part) => [part, await fleet.pid(part)] as const))),
    );
    await watch.sample();
    return watch;
  }

  /** @returns the most that each part grew by, in MiB */
  async stop(): Promise<Record<string, number>> {
    clearInterval(this.timer);
    await this.sample();
    return Object.fromEntries(
      [...this.most].map(([part, most]) => [part, Math.round((most - this.first.get(part)!) / KIB)]),
    );
  }

  private async sample(): Promise<void> {
    for (const [part, pid] of this.pids) {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      const resident = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
      if (!this.first.has(part)) this.first.set(part, resident);
      this.most.set(part, Math.max(resident, this.most.get(part) ?? 0));
    }
  }
}
