import { waitFor } from '@tps/testkit';
import { Fleet } from '../fleet';
import { checkNoLoss, type CheckResult } from './loss-checker';
import { Load } from './load';
import { type Figures, figures, type Get, outcomeOf } from './settled-fleet';
import { EffectSink } from './effect-sink';

/** `TPS_FAULTS=long`: every fault for a minute and at its full length, instead of a few seconds each. */
export const LONG = process.env.TPS_FAULTS === 'long';
/** As jest's, for what only the long suite tries. */
export const long = LONG ? test : test.skip;

/** A limit in time. The short form shares a small machine with other tests: only the long form holds the figure itself. */
export const within = (limitMs: number): number => (LONG ? limitMs : 4 * limitMs);

const SLOTS = 8;
const PER_SECOND = 60;
const REST_LIMIT_MS = 90_000;
/** Longer than any fault, so that every accepted signal can be done. */
const TIMEOUT_MS = 300_000;

export interface FaultCase {
  label: string;
  /** Load goes on for so long at least, from the fault on. */
  forMs: number;
  retry?: boolean;
  perSecond?: number;
  /** Each signal is larger by so much. */
  bytes?: number;
  /** By a signal's key; 3 without it. */
  priority?: (key: string) => number;
  fault: (recovered: Recovered) => Promise<void>;
}

/**
 * From now until the fleet says that it is healthy and a new signal goes all the way, in milliseconds.
 * @throws when that takes longer than `limitMs`
 */
type Recovered = (limitMs: number) => Promise<number>;

/** A fleet whose signals have their effect in a sink: faults are tried on it under load, and the whole is checked. */
export class FaultScenario {
  readonly get: Get;

  private constructor(
    readonly fleet: Fleet,
    readonly sink: EffectSink,
  ) {
    this.get = async (path) => {
      const { status, body } = await fleet.get(path);
      return { status, body };
    };
  }

  static async start(variables: Record<string, string> = {}): Promise<FaultScenario> {
    const sink = await EffectSink.start();
    const env = {
      TPS_HTTP_ALLOWLIST: sink.host,
      TPS_KANBAN_BUFFER: '20000',
      TPS_NUM_WORKERS: String(SLOTS),
      ...variables,
    };
    try {
      return new FaultScenario(await Fleet.start(env), sink);
    } catch (error) {
      await sink.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    try {
      await this.fleet.stop();
    } finally {
      await this.sink.stop();
    }
  }

  /** Lets a fault happen under load, and checks the queue as a whole when everything has come to rest. */
  async try({
    label,
    forMs,
    fault,
    retry = true,
    bytes = 0,
    priority = () => 3,
    perSecond = PER_SECOND,
  }: FaultCase): Promise<CheckResult> {
    const before = await this.settledFigures();
    const effects = new Map(this.sink.effects);
    const healthy = async (): Promise<boolean> => (await this.fleet.get('/health')).body.healthy === true;
    const running = new Load({
      url: this.fleet.url,
      label,
      perSecond,
      retry,
      signal: (key) => ({
        signal_type: 'execute',
        payload: this.sink.payload(key, bytes),
        priority: priority(key),
        timeout_ms: TIMEOUT_MS,
      }),
    });
    await running.during(() => fault((limitMs) => running.recovery(healthy, limitMs)), forMs);
    const { journal } = running;
    const outcome = await outcomeOf(this.get, journal, { before, limitMs: REST_LIMIT_MS });
    const here = [...this.sink.effects].filter(([key]) => !effects.has(key));
    return checkNoLoss(journal, { ...outcome, effects: new Map(here) });
  }

  private settledFigures(): Promise<Figures> {
    return waitFor('the figures', async () => {
      const { body } = await this.fleet.get('/health');
      return body.queue_depth === 0 ? figures(this.get) : null;
    });
  }
}

/** The result that every fault must leave. */
export const INTACT = {
  lost: [],
  undone: [],
  unexpected: [],
  untrue: [],
  ineffective: [],
  countsAgree: true,
};

/** Effects that may be had twice: one in a hundred, and in a short run what was in hands when the fault came. */
export function repeatable({ accepted }: CheckResult): number {
  return Math.max(SLOTS, Math.floor(accepted / 100));
}

/** Printed as they come: the figures of docs/reliability.md. */
export function report(label: string, result: CheckResult, recoveryMs?: number): void {
  const { accepted, refused, unknown, repeated, longestMs } = result;
  const recovery = recoveryMs === undefined ? '' : ` recovery=${Math.round(recoveryMs)}ms`;
  process.stdout.write(
    `${label}: accepted=${accepted} refused=${refused} unknown=${unknown} lost=${result.lost.length}` +
      ` repeated=${repeated}${result.countsAgree ? '' : ` counted=${result.counted}`} longest=${Math.round(longestMs)}ms${recovery}\n`,
  );
}
