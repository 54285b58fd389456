import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '@tps/testkit';
import { Journal, type Reply } from './journal';

export interface LoadOptions {
  /** The gateway. */
  url: string;
  token?: string;
  /** Put before every key: no two loads may share one. */
  label: string;
  perSecond: number;
  signal: (key: string) => { signal_type: string; payload: object; priority?: number; timeout_ms?: number };
  /** Try again with the same key until it is accepted, as clients should. */
  retry?: boolean;
}

interface Answer {
  signal_id?: string;
  success?: boolean | null;
  accepted?: unknown;
}

const ASK_LIMIT_MS = 10_000;
const RETRY_MS = 200;
const TAKEN_LIMIT_MS = 30_000;
/** A client that was not accepted by then gives up. */
const RETRY_LIMIT_MS = 60_000;
const ACCEPTED = 202;
/** Statuses from here on may be tried again. Below, the client is at fault, except for 429. */
const SERVER_SIDE = 500;
const TOO_MANY = 429;

/** Sends signals at a fixed rate, whatever becomes of those before, and writes down what it was told. */
export class Load {
  readonly journal = new Journal();
  private readonly underWay = new Set<Promise<void>>();
  private readonly timer: NodeJS.Timeout;
  private sent = 0;
  private probes = 0;
  private readonly began = Date.now();

  constructor(private readonly options: LoadOptions) {
    this.timer = setInterval(() => this.send(), 1_000 / options.perSecond);
  }

  /** Stops sending and waits until every signal has its answer, or has been given up. */
  private async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.underWay);
  }

  /**
   * Lets a fault happen to work that is under way, goes on for so long from then on at least, and then stops, also when
   * the fault fails.
   * @throws when the fleet takes nothing within 30 s
   */
  async during(fault: () => Promise<void>, forMs: number): Promise<void> {
    try {
      const taken = (): boolean => this.journal.accepted.length >= this.options.perSecond;
      await waitFor('the load to be taken', taken, { limitMs: TAKEN_LIMIT_MS });
      const began = Date.now();
      await fault();
      await sleep(Math.max(0, forMs - (Date.now() - began)));
    } finally {
      await this.stop();
    }
  }

  /**
   * From now until the fleet is healthy and a new signal goes all the way.
   * @returns how long that took, in milliseconds
   * @throws WaitTimeoutError when it takes longer than `limitMs`
   */
  async recovery(healthy: () => Promise<boolean>, limitMs: number): Promise<number> {
    const began = performance.now();
    const recovered = async (): Promise<boolean> => (await healthy()) && (await this.probe());
    await waitFor('the fleet to have recovered', recovered, { limitMs, everyMs: 100 });
    return performance.now() - began;
  }

  /**
   * One more signal, whose outcome is waited for.
   * @returns whether it succeeded
   */
  private async probe(): Promise<boolean> {
    this.probes += 1;
    const { succeeded } = await this.ask(`${this.options.label}-probe-${this.probes}`, false);
    return succeeded;
  }

  /** Sends as many as are due by now, because timers are late on a busy machine. */
  private send(): void {
    const due = Math.floor(((Date.now() - this.began) / 1_000) * this.options.perSecond);
    for (; this.sent < due; this.sent += 1) {
      const task = this.handIn(`${this.options.label}-${this.sent}`).finally(() =>
        this.underWay.delete(task),
      );
      this.underWay.add(task);
    }
  }

  private async handIn(key: string): Promise<void> {
    const until = Date.now() + RETRY_LIMIT_MS;
    for (;;) {
      const { reply } = await this.ask(key, true);
      if (reply === 'accepted' || !this.options.retry || Date.now() > until) return;
      await sleep(RETRY_MS);
    }
  }

  private async ask(key: string, respondAsync: boolean): Promise<{ reply: Reply; succeeded: boolean }> {
    const { url, token, signal } = this.options;
    const began = performance.now();
    // Only of those who are answered at once; the others wait for their outcome.
    const ms = (): number => (respondAsync ? performance.now() - began : 0);
    try {
      const response = await fetch(`${url}/signal`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(respondAsync ? { prefer: 'respond-async' } : {}),
          'idempotency-key': key,
          ...(token ? { authorization: `Bearer ${token}` } : {}),
        },
        body: JSON.stringify(signal(key)),
        signal: AbortSignal.timeout(ASK_LIMIT_MS),
      });
      const body = (await response.json()) as Answer;
      const reply = replyOf(response.status, body.accepted);
      this.journal.record(key, reply, { ms: ms(), ...(body.signal_id ? { id: body.signal_id } : {}) });
      return { reply, succeeded: body.success === true };
    } catch (error) {
      const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).name;
      // Nobody listened: it cannot have arrived.
      const reply = cause === 'ECONNREFUSED' ? 'refused' : 'unknown';
      this.journal.record(key, reply, { ms: ms() });
      return { reply, succeeded: false };
    }
  }
}

function replyOf(status: number, accepted: unknown): Reply {
  if (status === ACCEPTED) return 'accepted';
  if (status === TOO_MANY || status < SERVER_SIDE || accepted === false) return 'refused';
  return 'unknown';
}
