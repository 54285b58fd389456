import { setTimeout as sleep } from 'node:timers/promises';
import type { AndonBoard, LineStatus } from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { waitFor } from '@tps/testkit';
import { defineSignal, type SignalDefinition, workerService } from '@tps/worker';
import { Fleet } from './fleet';

type Run = (payload: { n: number }) => Promise<unknown>;
type Work = Partial<Omit<SignalDefinition, 'name' | 'run'>> & { run: Run };

/** A line at one moment of a load. */
export interface Sight extends Pick<LineStatus, 'colour' | 'rule' | 'reason'> {
  atMs: number;
  line: LineStatus;
}

interface Offer {
  type: string;
  perSecond: number;
  seconds: number;
  timeoutMs?: number;
}

const LOOK_MS = 200;
const SLOTS = 4;

/** A fleet with a worker of four slots whose work is chosen, for loads that the board must tell the truth about. */
export class LoadedFleet {
  private constructor(
    readonly fleet: Fleet,
    private readonly worker: ServiceHandle,
  ) {}

  static async start(work: Record<string, Work>): Promise<LoadedFleet> {
    const fleet = await Fleet.start({ TPS_CB_THRESHOLD: '1000', TPS_ANDON_CALL_AFTER_MS: '600000' });
    const signals = Object.entries(work).map(([name, { run, ...definition }]) =>
      defineSignal({ ...definition, name, run: (payload) => run(payload as { n: number }) }),
    );
    const env = {
      NATS_URL: fleet.environment.NATS_URL,
      ...{ METRICS_PORT: 'disabled', LOG_LEVEL: 'error', TPS_NUM_WORKERS: String(SLOTS) },
    };
    const service = workerService({}, () => ({ signals }));
    const loaded = new LoadedFleet(fleet, await startService(service, env, (error) => console.error(error)));
    await waitFor('the lines to be known', async () => {
      const lines = await loaded.lines();
      return Object.keys(work).every((type) => lines[type]?.colour === 'GREEN');
    });
    return loaded;
  }

  async stop(): Promise<void> {
    await this.worker.stop();
    await this.fleet.stop();
  }

  async lines(): Promise<AndonBoard['lines']> {
    return (await this.fleet.get<AndonBoard>('/andon', { accept: 'application/json' })).body.lines;
  }

  /** Offers signals at a fixed rate, whatever becomes of those before; none of them is waited for. */
  async offer({ type, perSecond, seconds, timeoutMs = 120_000 }: Offer): Promise<void> {
    const startMs = Date.now();
    const asked: Promise<unknown>[] = [];
    for (let n = 0; n < perSecond * seconds; n += 1) {
      await sleep(Math.max(0, startMs + (1_000 * n) / perSecond - Date.now()));
      asked.push(this.post(type, n, timeoutMs).catch(() => undefined));
    }
    await Promise.all(asked);
  }

  /** Offers that many signals at once. */
  async burst(type: string, count: number, timeoutMs: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, (_, n) => this.post(type, n, timeoutMs)));
  }

  /** Looks at a line until it is as wanted. @returns what it then showed, by the time since `startMs` */
  async sight(
    type: string,
    { startMs, limitMs }: { startMs: number; limitMs: number },
    wanted: (line: LineStatus) => boolean,
  ): Promise<Sight> {
    return waitFor(
      `${type} to be seen`,
      async () => {
        const line = (await this.lines())[type];
        if (!line || !wanted(line)) return null;
        const { colour, rule, reason } = line;
        return { atMs: Date.now() - startMs, colour, rule, reason, line };
      },
      { limitMs, everyMs: LOOK_MS },
    );
  }

  /** The changes of a line's light that the history has from a moment on, the oldest first. */
  async changes(type: string, sinceMs: number): Promise<string[]> {
    const query = new URLSearchParams({ type, since: new Date(sinceMs).toISOString(), limit: '100' });
    const { body } = await this.fleet.get<{ items: { colour: string; rule: string; reason: string }[] }>(
      `/andon/history?${query.toString()}`,
    );
    return body.items.map(({ colour, rule, reason }) => `${colour} ${rule}: ${reason}`).reverse();
  }

  private post(type: string, n: number, timeout_ms: number): Promise<unknown> {
    return this.fleet.post(type, { n }, { headers: { prefer: 'respond-async' }, timeout_ms });
  }
}
