import { setTimeout as sleep } from 'node:timers/promises';
import type { Msg } from '@nats-io/transport-node';
import { type Bus, RecordsUnavailableError } from '@tps/bus';
import {
  type CircuitState,
  type Outcome,
  readReplies,
  type RedriveJob,
  type RedriveStop,
} from '@tps/contracts';
import type { DeadLetterEntry, DeadLetterStore } from './dead-letter-store';
import type { RequeueResult, Requeuer } from './requeuer';

export interface RedriveRunnerDeps {
  bus: Bus;
  deadLetters: DeadLetterStore;
  requeuer: Requeuer;
  lineOf: (type: string) => CircuitState;
  /** Stores how far it is. Throws LostError when it is no longer this process's to do. */
  save: (record: RedriveJob) => Promise<void>;
}

/** The redrive was cancelled, or another process has taken it over. */
export class RedriveLostError extends Error {
  override readonly name = 'LostError';
}

/** Where it stops itself. */
class RedriveStoppedError extends Error {
  override readonly name = 'StopError';
  constructor(readonly stop: RedriveStop) {
    super(stop.reason);
  }
}

type Probe = RedriveJob['probing'][number];

const SAVE_EVERY_MS = 2_000;
const LOOK_EVERY_MS = 1_000;
const RETRY_FIRST_MS = 100;
const RETRY_CAP_MS = 5_000;
/** So long it waits for room in the queue, for the broker or for the records, before it gives up. */
const PATIENCE_MS = 60_000;
const MAX_PROBE_MS = 300_000;
const PROBE_GRACE_MS = 5_000;

/**
 * Works on one redrive. The letters that are left are read from the stream, and what was queued is no longer among
 * them, so that who takes over after a crash needs nothing but the record: groups of probes first, each of which must
 * succeed, then the rest at its pace.
 */
export class RedriveRunner {
  private readonly inbox: string;
  private readonly outcomes = new Map<string, Outcome>();
  /** Letters that stay, and are not looked at twice. */
  private readonly passed = new Set<number>();
  private readonly ending = new AbortController();
  private saving: Promise<void> = Promise.resolve();
  private onOutcome: () => void = () => undefined;

  constructor(
    private record: RedriveJob,
    private readonly deps: RedriveRunnerDeps,
  ) {
    this.inbox = deps.bus.createInbox();
  }

  /** Resolves when the redrive has ended; rejects when it is left to others. */
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

  /** Leaves it as it is. */
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
      const letters = await this.deps.deadLetters.find({ ids: [one.id] });
      const entry = letters.find(({ run }) => run === one.run - 1);
      const result = entry && (await this.requeue(entry, this.inbox));
      // No letter: it was queued before this process took over.
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

  /** From each type in turn, so that all of them are probed. */
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
    const letters = await this.deps.deadLetters.find(filter);
    return letters.filter(({ seq, status }) => {
      return seq <= up_to_seq && status !== 'invalid' && !this.passed.has(seq);
    });
  }

  /** Tries until it is decided what becomes of this letter. */
  private async requeue(entry: DeadLetterEntry, replyTo?: string): Promise<RequeueResult> {
    const patientUntil = Date.now() + PATIENCE_MS;
    for (let wait = RETRY_FIRST_MS; ; wait = Math.min(wait * 2, RETRY_CAP_MS)) {
      this.ending.signal.throwIfAborted();
      if (this.deps.lineOf(entry.type) === 'Open') throw this.stopAt(`the line of ${entry.type} is stopped`);
      const result = await this.tryRequeue(entry, replyTo);
      if (typeof result !== 'string') return result;
      if (Date.now() > patientUntil) throw this.stopAt(`not taken for ${PATIENCE_MS / 1000} s: ${result}`);
      await this.pause(wait / 2 + (Math.random() * wait) / 2);
    }
  }

  /** @returns why it is not taken now, as text */
  private async tryRequeue(entry: DeadLetterEntry, replyTo?: string): Promise<RequeueResult | string> {
    try {
      const result = await this.deps.requeuer.requeue(entry, replyTo);
      if (result.kind === 'refused') {
        const { code, reason } = result.verdict;
        // No patience helps: the type was retired.
        if (code === 'UNKNOWN_SIGNAL_TYPE') throw this.stopAt(reason);
        return reason;
      }
      if (result.kind === 'queued') this.record.redriven += 1;
      else this.record.skipped += 1;
      if (result.kind === 'unfinished') this.passed.add(entry.seq);
      return result;
    } catch (error) {
      if (error instanceof RecordsUnavailableError) return error.message;
      throw error;
    }
  }

  /** What became of these runs, by the workers' replies or by the records. */
  private async outcomesOf(probes: Probe[], limitMs: number): Promise<Outcome[]> {
    const until = Date.now() + limitMs;
    const missing = (): Probe[] => probes.filter((probe) => !this.outcomes.has(keyOf(probe.id, probe.run)));
    for (let first = missing()[0]; first; first = missing()[0]) {
      const { id, run, type } = first;
      if (Date.now() > until) throw this.stopAt('a probe has no outcome in time', { signal_id: id, run });
      // Its signals are held: what becomes of them may take days.
      if (this.deps.lineOf(type) === 'Open') {
        throw this.stopAt(`the line of ${type} stopped under a probe`, { signal_id: id, run });
      }
      await Promise.race([this.pause(LOOK_EVERY_MS), new Promise<void>((done) => (this.onOutcome = done))]);
      const open = missing().map((probe) => probe.id);
      if (open.length === 0) break;
      const { records } = this.deps.requeuer;
      const outcomes = await Promise.all(open.map((id) => records.outcomesOf(id))).catch(() => []);
      for (const outcome of outcomes.flat()) this.learn(outcome);
    }
    return probes.map(({ id, run }) => this.outcomes.get(keyOf(id, run)) as Outcome);
  }

  private receive(msg: Msg): void {
    try {
      for (const outcome of readReplies(msg)) this.learn(outcome);
    } catch {
      // Not a reply of a worker; the records know as well.
    }
    this.onOutcome();
  }

  /** The first final outcome of a run counts. */
  private learn(outcome: Outcome): void {
    const key = keyOf(outcome.signal_id, outcome.run);
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

  /** One after the other: each builds on the one before. */
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

  /** Says that it is being worked on, and how far it is. */
  private renewLease(): void {
    this.change({}).catch((error: unknown) => {
      if (error instanceof RedriveLostError) this.abandon(error);
    });
  }

  private async pause(ms: number): Promise<void> {
    await sleep(Math.max(0, ms), undefined, { signal: this.ending.signal });
  }
}

function keyOf(id: string, run: number): string {
  return `${id}:${run}`;
}
