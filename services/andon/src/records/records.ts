import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeThrown } from '@tps/telemetry';
import { managerOf, retry } from '@tps/bus';
import { METRICS, type Reach, type ReplyOf, type RequestOf } from '@tps/contracts';
import type { LoggedOutcome, OutcomesLog } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import { Gauge, type Registry } from 'prom-client';
import type { AndonConfig } from '../config';
import { FinishedSignals } from './finished-signals';
import { RecordLookup, RecordsBehindError } from './record-lookup';
import { reachMs, reachOf, shortage } from './reach';
import { RecordReader } from './record-reader';
import type { Figures } from './kept-figures';
import { RecordStore } from './record-store';

const CATCH_UP_MS = 1_000;
const TRIM_EVERY_MS = 10_000;
const HOUR_MS = 3_600_000;
const BACKOFF = { firstMs: 100, capMs: 5_000 };

/**
 * The records of signals: an index on disk of the log of outcomes, kept complete while the log is followed, and the answers
 * that are read with it from the log.
 */
export class Records {
  private readonly lookups: RecordLookup;
  private readonly finished: FinishedSignals;
  private readonly trimmer: NodeJS.Timeout;
  private readonly stopping = new AbortController();
  /** Why the index cannot be written; null while it can. */
  private problem: string | null = null;
  /** How far back the log reaches, in milliseconds; undefined until it was looked at. */
  private reachMs: number | undefined;

  private constructor(
    private readonly context: ServiceContext<AndonConfig>,
    private readonly store: RecordStore,
    /** Removed at the end; null for a folder that the configuration names. */
    private readonly temporary: string | null,
  ) {
    const reader = new RecordReader(context.bus);
    this.lookups = new RecordLookup(store, reader);
    this.finished = new FinishedSignals(store, reader);
    this.trimmer = setInterval(() => void this.trim(), TRIM_EVERY_MS).unref();
    void this.trim();
    exposeReach(context.registry, this.promisedMs, () => this.reachMs);
  }

  /**
   * Opens the index in `TPS_RECORDS_DIR`, or an empty one in a temporary folder.
   * @throws Error when the folder cannot be written
   */
  static async open(context: ServiceContext<AndonConfig>): Promise<Records> {
    const { TPS_RECORDS_DIR: folder } = context.config;
    const temporary = folder ? null : await mkdtemp(join(tmpdir(), 'tps-records-'));
    return new Records(context, await RecordStore.open(temporary ?? folder), temporary);
  }

  /** Restores figures and chooses the sequence from which to follow the log, see `RecordStore.startIn`. */
  startIn(log: { created: string; lastSeq: number }, figures: Figures): Promise<number> {
    return this.store.startIn(log, figures);
  }

  /** Whether the figures do not have this message yet. */
  counts(seq: number): boolean {
    return this.store.counts(seq);
  }

  /** The log is another one. Callers who wait for an outcome go on waiting. */
  restart(created: string): void {
    this.store.restart(created);
  }

  take(logged: LoggedOutcome): void {
    this.store.add(logged);
    this.lookups.take(logged);
  }

  /** Writes what was taken. While the disk refuses it tries again, and the log is read no further. */
  async flush(): Promise<void> {
    const { signal } = this.stopping;
    const onRetry = (error: unknown): void => {
      if (!this.problem) this.context.log.error('the index of the records cannot be written', { error });
      this.problem = `the index of the records cannot be written: ${describeThrown(error).message}`;
    };
    try {
      await retry(() => this.store.flush(), { backoff: BACKOFF, onRetry, signal });
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    if (this.problem) this.context.log.info('the index of the records is written again');
    this.problem = null;
  }

  async lookup(request: RequestOf<'lookup'>, log: OutcomesLog): Promise<ReplyOf<'lookup'>> {
    return { ...(await this.lookups.answer(request, log)), ...this.reach() };
  }

  async page(request: RequestOf<'finishedSignals'>, log: OutcomesLog): Promise<ReplyOf<'finishedSignals'>> {
    if (!(await log.caughtUp(CATCH_UP_MS))) throw new RecordsBehindError();
    return { ...(await this.finished.page(request)), ...this.reach() };
  }

  /** Why the records are short of what was promised; undefined when they are not. */
  get shortage(): string | undefined {
    return this.reachMs === undefined ? undefined : shortage(this.reachMs, this.promisedMs);
  }

  problems(): string[] {
    return this.problem ? [this.problem] : [];
  }

  async close(): Promise<void> {
    clearInterval(this.trimmer);
    this.stopping.abort();
    this.lookups.close();
    await this.store.close();
    if (this.temporary) await rm(this.temporary, { recursive: true, force: true });
  }

  /** Removes from the index the outcomes that the log has lost to age or size. */
  private async trim(): Promise<void> {
    const { bus, log } = this.context;
    try {
      const info = await (await managerOf(bus)).streams.info(bus.names.streams.outcomes);
      const { state } = info;
      this.reachMs = reachMs(info, this.promisedMs, Date.now());
      while (!this.stopping.signal.aborted && (await this.store.removeBefore(state.first_seq)));
    } catch (error) {
      if (bus.connected && !this.stopping.signal.aborted) log.warn('the records were not trimmed', { error });
    }
  }

  private get promisedMs(): number {
    return this.context.config.TPS_OUTCOMES_MAX_AGE * HOUR_MS;
  }

  private reach(): { reach?: Reach } {
    if (this.reachMs === undefined) return {};
    return { reach: reachOf(this.reachMs, this.promisedMs, Date.now()) };
  }
}

function exposeReach(registry: Registry, promisedMs: number, reach: () => number | undefined): void {
  new Gauge({ ...METRICS.recordsPromised, registers: [registry] }).set(promisedMs / 1_000);
  new Gauge({
    ...METRICS.recordsReach,
    registers: [registry],
    collect() {
      const ms = reach();
      if (ms !== undefined) this.set(ms / 1_000);
    },
  });
}
