import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { namesFor, type ServiceName } from '@tps/contracts';
import { peakMiB } from '@tps/local/process-stat';
import { waitFor } from '@tps/testkit';
import { BenchError } from '../errors';
import { type FleetProcess, readParts } from '../fleet/local-runtime';
import type { Fleet } from '../fleet/start';

const POLL_MS = 25;
/** Above every promise, so that a broken one is measured. */
const READY_LIMIT_MS = 300_000;
/** A figure that is wrong when the process says that it is ready stays wrong. */
const FIGURES_LIMIT_MS = 2_000;

/** Reads figures of a fleet, and kills its processes. */
export class MeasuredFleet {
  readonly api: string;

  constructor(readonly fleet: Fleet) {
    this.api = `http://127.0.0.1:${fleet.port}`;
  }

  /** Signals that the fleet says it has processed. */
  async total(): Promise<number> {
    const response = await fetch(`${this.api}/metrics`, { headers: { accept: 'application/json' } });
    if (!response.ok) throw new BenchError(`/metrics: ${response.status}`);
    return ((await response.json()) as { total_processed: number }).total_processed;
  }

  async hasRecord(id: string): Promise<boolean> {
    const response = await fetch(`${this.api}/signal/${id}`);
    await response.arrayBuffer();
    return response.ok;
  }

  /** The highest memory that a process of this service has had. */
  peakMiB(service: ServiceName): number {
    return peakMiB(this.part(service).pid ?? 0);
  }

  /** Messages and bytes of the log of outcomes. */
  async log(): Promise<{ messages: number; bytes: number }> {
    const nc = await connect({ servers: this.fleet.natsUrl });
    try {
      const jsm = await jetstreamManager(nc);
      return (await jsm.streams.info(namesFor().streams.outcomes)).state;
    } finally {
      await nc.close();
    }
  }

  /** Bytes on disk of the index and of the log. */
  async disk(): Promise<{ index: number; log: number }> {
    const log = join(this.fleet.home, 'data/nats/jetstream/$G/streams', namesFor().streams.outcomes);
    return { index: await bytesIn(this.indexFolder), log: await bytesIn(log) };
  }

  /** Deletes the index while andon has it open; the next process finds none. */
  async loseIndex(): Promise<void> {
    await rm(this.indexFolder, { recursive: true, force: true });
  }

  /**
   * Kills processes without a warning, and waits until the next ones are ready and their figures are right.
   *
   * @returns milliseconds from the kill, by service
   * @throws WaitTimeoutError if a process does not get ready, or its figures are wrong when it is
   */
  async killAndWait(checks: Partial<Record<ServiceName, () => Promise<boolean>>>): Promise<number[]> {
    const services = Object.keys(checks) as ServiceName[];
    const killed = services.map((service) => this.part(service).pid!);
    const startMs = performance.now();
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    return Promise.all(
      services.map(async (service, i) => {
        await waitFor(`${service} to be ready`, () => this.isReady(service, killed[i]!), {
          limitMs: READY_LIMIT_MS,
          everyMs: POLL_MS,
        });
        await waitFor(`the figures of ${service}`, checks[service]!, { limitMs: FIGURES_LIMIT_MS });
        return performance.now() - startMs;
      }),
    );
  }

  private async isReady(service: ServiceName, killed: number): Promise<boolean> {
    const { pid = killed, ready } = this.part(service);
    return pid !== killed && (await fetch(ready.url)).ok;
  }

  private part(service: ServiceName): FleetProcess {
    const part = readParts(this.fleet.home).find((each) => each.service === service);
    if (part) return part;
    throw new BenchError(`${service} is not in the fleet.`);
  }

  private get indexFolder(): string {
    return join(this.fleet.home, 'data', 'andon');
  }
}

async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(({ parentPath, name }) => stat(join(parentPath, name))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}
