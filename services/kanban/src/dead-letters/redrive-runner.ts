import { setTimeout as sleep } from 'node:timers/promises';
import type { Msg } from '@nats-io/transport-node';
import { type Bus, type RecordsClient, RecordsUnavailableError, retry } from '@tps/bus';
import { type Outcome, readReplies, type RedriveJob, type RedriveStop, runKey } from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import type { DeadLetterEntry, DeadLetterStore } from './dead-letter-store';
import type { RequeueResult, Requeuer } from './requeuer';

/** The parts that a redrive job works with. */
export interface RedriveRunnerDeps {
  bus: Bus;
  deadLetters: DeadLetterStore;
  requeuer: Requeuer;
  records: RecordsClient;
  lines: LineView;
  /** Stores the record of the job. @throws RedriveLostError if the job no longer belongs to this process */
  save: (record: RedriveJob) => Promise<void>;
}

/** The job was cancelled, or another process took it over. */
export class RedriveLostError extends Error {
  override readonly name = 'RedriveLostError';
}

/** The job stops itself. */
class RedriveStoppedError extends Error {
  override readonly name = 'RedriveStoppedError';
  constructor(readonly stop: RedriveStop) {
    super(stop.reason);
  }
}

/** The dead letter is not requeued now; another try may succeed. */
class NotRequeuedError extends Error {
  override readonly name = 'NotRequeuedError';
}

type Probe = RedriveJob['probing'][number];

const SAVE_EVERY_MS = 2_000;
const LOOK_UP_EVERY_MS = 1_000;
const BACKOFF = { firstMs: 100, capMs: 5_000 };
/** How long a dead letter waits for room in the queue, for the broker or for the records before the job stops. */
const REQUEUE_LIMIT_MS = 60_000;
const MAX_PROBE_MS = 300_000;
const PROBE_GRACE_MS = 5_000;

/**
 * Runs one redrive job: groups of probes first, each of which must succeed, then the rest at a limited rate. The
 * remaining dead letters are read from the stream, which no longer has the requeued ones, so that another process needs
 * only the record to continue after a crash.
 */
export class RedriveRunner {
  private readonly inbox: string;
  private readonly outcomes = new Map<string, Outcome>();
  /** Sequences of dead letters that stay and are not tried again. */
  private readonly skipped = new Set<number>();
  private readonly ending = new AbortController();
  private saving: Promise<void> = Promise.resolve();
  private onOutcome: () => void = () => undefined;

  constructor(
    private record: RedriveJob,
    private readonly deps: RedriveRunnerDeps,
  ) {
    this.inbox = deps.bus.createInbox();
  }

  /** Resolves when the job has ended. @throws if it is left to another process */
  async run(): Promise<void> {
    const { nc } = this.deps.bus;
    const replies = nc.subscribe(this.inbox, { callback: (_, msg) => this.receive(msg) });
    const saver = setInterval(() => this.renewLease(), SAVE_EVERY_MS);
    try {
      while (this.record.phase < this.record.probe.length) await this.probeGroup();
      await this.redriveRest();
      await this.end('completed');
    } catch (error) {
      if (!(error instanceof RedriveStoppedError)) throw error;
      await this.end('stopped', error.stop);
    } finally {
      clearInterval(saver);
      replies.unsubscribe();
    }
  }

  /** Leaves the job as it is. */
  abandon(reason: Error): void {
    this.ending.abort(reason);
  }

  private async probeGroup(): Promise<void> {
    const { phase, probe, probing } = this.record;
    const group = probing.length > 0 ? probing : await this.chooseProbes(probe[phase] ?? 0);
    if (group.length === 0) return this.change({ phase: probe.length });
    await this.change({ probing: group });
    const queued: Probe[] = [];
    let limitMs = 0;
    for (const one of group) {
      const deadLetters = await this.deps.deadLetters.find({ ids: [one.id] });
      const entry = deadLetters.find(({ run }) => run === one.run - 1);
      const result = entry && (await this.requeue(entry, this.inbox));
      // Without a dead letter it was requeued before this process took over.
      if (result && result.kind !== 'queued') continue;
      queued.push(one);
      limitMs = Math.max(limitMs, Math.min(result?.signal.timeout_ms ?? MAX_PROBE_MS, MAX_PROBE_MS));
    }
    if (queued.length === 0) return this.change({ probing: [] });
    const outcomes = await this.outcomesOf(queued, limitMs + PROBE_GRACE_MS);
    const bad = outcomes.find(({ success }) => !success);
    if (bad) throw this.stopAt(`a probe was ${bad.status}`, bad);
    const probes_succeeded = this.record.probes_succeeded + outcomes.length;
    await this.change({ phase: phase + 1, probing: [], probes_succeeded });
  }

  private async redriveRest(): Promise<void> {
    let next = Date.now();
    for (const entry of await this.remaining()) {
      await this.pause(next - Date.now());
      next = Math.max(next, Date.now()) + 1_000 / this.record.max_per_s;
      await this.requeue(entry);
    }
  }

  /** Chooses probes from each type in turn, so that every type is probed. */
  private async chooseProbes(count: number): Promise<Probe[]> {
    const byType = new Map<string, DeadLetterEntry[]>();
    for (const entry of await this.remaining())
      byType.set(entry.type, [...(byType.get(entry.type) ?? []), entry]);
    const lists = [...byType.values()];
    const chosen: DeadLetterEntry[] = [];
    for (let round = 0; chosen.length < count && lists.some((list) => list.length > round); round += 1) {
      chosen.push(...lists.flatMap((list) => list[round] ?? []));
    }
    return chosen.slice(0, count).map(({ id, run, type }) => ({ id, run: run + 1, type }));
  }

  private async remaining(): Promise<DeadLetterEntry[]> {
    const { filter, up_to_seq } = this.record;
    const deadLetters = await this.deps.deadLetters.find(filter);
    return deadLetters.filter(({ seq, status }) => {
      return seq <= up_to_seq && status !== 'invalid' && !this.skipped.has(seq);
    });
  }

  /** Requeues a dead letter, and retries until it is decided what becomes of it. */
  private async requeue(entry: DeadLetterEntry, replyTo?: string): Promise<RequeueResult> {
    const options = {
      backoff: BACKOFF,
      limitMs: REQUEUE_LIMIT_MS,
      retryIf: (error: unknown) =>
        error instanceof NotRequeuedError || error instanceof RecordsUnavailableError,
      signal: this.ending.signal,
    };
    try {
      return await retry(() => this.tryRequeue(entry, replyTo), options);
    } catch (error) {
      if (!options.retryIf(error)) throw error;
      throw this.stopAt(`not taken for ${REQUEUE_LIMIT_MS / 1_000} s: ${(error as Error).message}`);
    }
  }

  private async tryRequeue(entry: DeadLetterEntry, replyTo?: string): Promise<RequeueResult> {
    if (this.deps.lines.state(entry.type) === 'Open')
      throw this.stopAt(`the line of ${entry.type} is stopped`);
    const result = await this.deps.requeuer.requeue(entry, replyTo);
    if (result.kind === 'refused') {
      const { code, reason } = result.verdict;
      // No retry helps, because the type was retired.
      if (code === 'UNKNOWN_SIGNAL_TYPE') throw this.stopAt(reason);
      throw new NotRequeuedError(reason);
    }
    if (result.kind === 'queued') this.record.redriven += 1;
    else this.record.skipped += 1;
    if (result.kind === 'unfinished') this.skipped.add(entry.seq);
    return result;
  }

  /** Waits for the outcomes of these runs, from the replies of workers or from the records. */
  private async outcomesOf(probes: Probe[], limitMs: number): Promise<Outcome[]> {
    const until = Date.now() + limitMs;
    const missing = (): Probe[] => probes.filter((probe) => !this.outcomes.has(runKey(probe)));
    for (let first = missing()[0]; first; first = missing()[0]) {
      const { id, run, type } = first;
      if (Date.now() > until) throw this.stopAt('a probe has no outcome in time', { signal_id: id, run });
      // The signals of a stopped line are paused, possibly for days.
      if (this.deps.lines.state(type) === 'Open') {
        throw this.stopAt(`the line of ${type} stopped under a probe`, { signal_id: id, run });
      }
      await Promise.race([
        this.pause(LOOK_UP_EVERY_MS),
        new Promise<void>((done) => (this.onOutcome = done)),
      ]);
      const open = missing().map((probe) => probe.id);
      if (open.length === 0) break;
      const { records } = this.deps;
      const outcomes = await Promise.all(open.map((id) => records.outcomesOf(id))).catch(() => []);
      for (const outcome of outcomes.flat()) this.learn(outcome);
    }
    return probes.map(({ id, run }) => this.outcomes.get(runKey({ id, run })) as Outcome);
  }

  private receive(msg: Msg): void {
    try {
      for (const outcome of readReplies(msg)) this.learn(outcome);
    } catch {
      // The message is no reply of a worker. The records have the outcome too.
    }
    this.onOutcome();
  }

  /** The first final outcome of a run counts. */
  private learn(outcome: Outcome): void {
    const key = runKey({ id: outcome.signal_id, run: outcome.run });
    if (outcome.final && !this.outcomes.has(key)) this.outcomes.set(key, outcome);
  }

  private stopAt(reason: string, about: Partial<Outcome> = {}): RedriveStoppedError {
    const { phase, probe } = this.record;
    const at = phase < probe.length ? `probe ${phase + 1} of ${probe.length}` : 'rest';
    const { signal_id, run, status, error_class, message, trace_id } = about;
    const facts = { signal_id, run, status, error_class, message, trace_id };
    return new RedriveStoppedError({ at, reason, ...(JSON.parse(JSON.stringify(facts)) as typeof about) });
  }

  private end(state: 'completed' | 'stopped', stopped?: RedriveStop): Promise<void> {
    const finished_at = new Date().toISOString();
    return this.change({ state, finished_at, probing: [], ...(stopped ? { stopped } : {}) });
  }

  /** Changes the record. Changes happen one after the other, because each builds on the previous one. */
  private change(change: Partial<RedriveJob>): Promise<void> {
    this.saving = this.saving
      .catch(() => undefined)
      .then(() => {
        this.ending.signal.throwIfAborted();
        this.record = { ...this.record, ...change };
        return this.deps.save(this.record);
      });
    return this.saving;
  }

  /** Stores the progress, which renews the lease. */
  private renewLease(): void {
    this.change({}).catch((error: unknown) => {
      if (error instanceof RedriveLostError) this.abandon(error);
    });
  }

  private async pause(ms: number): Promise<void> {
    await sleep(Math.max(0, ms), undefined, { signal: this.ending.signal });
  }
}
