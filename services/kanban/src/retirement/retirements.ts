import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, deleteLanes, ensureLanes, pauseMs } from '@tps/bus';
import {
  type ReplyOf,
  type RequestOf,
  type Retirement,
  retirementText,
  type TypeRecord,
} from '@tps/contracts';
import type { TypesView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { KanbanConfig } from '../config';
import type { CardLimits } from '../queue/card-limits';
import type { DeadLetterStore } from '../dead-letters/dead-letter-store';
import type { QueueStats } from '../queue/queue-stats';
import type { RetirementChecks } from './retirement-checks';
import { unavailable } from './retirement-objections';
import type { Revival } from './revival';

export interface RetirementsDeps {
  types: TypesView;
  checks: RetirementChecks;
  revival: Revival;
  queue: QueueStats;
  cards: CardLimits;
  deadLetters: DeadLetterStore;
}

/** The record of a type that is being retired, as last read or written. */
interface Marked {
  type: string;
  record: TypeRecord & { retired: Retirement };
  revision: number;
}

/** The owner's lease on a retirement. After it ends, another process takes over. */
const LEASE_MS = 15_000;
const KEEPER_LIMIT_MS = 3_000;
const JOIN_LIMIT_MS = 6_000;
const LOOK_MS = 50;
const MAX_TRIES = 5;
const BACKOFF = { firstMs: 1_000, capMs: 30_000 };
/** As long as dead letters are kept, because a request for them names the retirement of their type. */
const KEPT_MS = 30 * 24 * 3_600_000;

/** The requests to the services that keep data of a type. */
const KEEPERS = ['retireCircuit', 'retireLine', 'retireLevels'] as const;

/**
 * Retires signal types. The record of the type has the phase, so that any process can finish or undo a retirement that
 * another one began:
 *
 * 1. `checking`: every kanban process refuses signals of the type, and no append is in flight. Then the stream is checked
 *    for signals of the type. If it has one, the mark is removed and nothing has changed.
 * 2. `removing`: the type is unknown. Its lanes, cards, leases, circuit, calls and levels are removed.
 * 3. `done`: the record stays for 30 days. A worker that announces the type overwrites it.
 *
 * A signal that turns up later brings the type back (`Revival`).
 */
export class Retirements {
  private readonly running = new Map<string, Promise<ReplyOf<'retire'>>>();
  private failures = 0;
  private retryAtMs = 0;

  constructor(
    private readonly context: ServiceContext<KanbanConfig>,
    private readonly deps: RetirementsDeps,
  ) {
    context.endpoint('retire', (request) => this.retire(request));
  }

  /** Called every second: takes over abandoned retirements, revives types, and deletes old records. */
  async tick(): Promise<void> {
    const { types, queue, checks, revival } = this.deps;
    for (const type of types.records.keys()) {
      const entry = types.records.entry(type);
      const retired = entry?.value.retired;
      if (!entry || !retired) continue;
      const { value, revision } = entry;
      if (retired.phase !== 'done') this.takeOver({ type, record: { ...value, retired }, revision });
      else if (queue.orphans > 0 && (await checks.isQueued(type))) await revival.bringBack(type);
      else if (Date.now() - Date.parse(retired.at) > KEPT_MS) {
        // A worker that announces the type at this moment announces it again later.
        await types.records.remove(type);
      }
    }
  }

  /** Waits for the running retirements, which end soon. */
  async stop(): Promise<void> {
    await Promise.allSettled(this.running.values());
  }

  private retire(request: RequestOf<'retire'>): Promise<ReplyOf<'retire'>> {
    const { signal_type: type } = request;
    return this.running.get(type) ?? this.run(type, this.begin(request));
  }

  private run(type: string, work: Promise<ReplyOf<'retire'>>): Promise<ReplyOf<'retire'>> {
    const running = work.finally(() => this.running.delete(type));
    this.running.set(type, running);
    return running;
  }

  private async begin({ signal_type: type, by, reason }: RequestOf<'retire'>): Promise<ReplyOf<'retire'>> {
    const { types, checks } = this.deps;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const entry = await types.records.read(type);
      const before = entry?.value.retired;
      if (!entry) return { refused: 'unknown', reason: `there is no signal type "${type}"` };
      if (before?.phase === 'done') return { refused: 'unknown', reason: retirementText(type, before) };
      if (before) {
        const joined = await this.join(type, before);
        if (joined) return joined;
        continue;
      }
      // Checked before the mark is set, because a refused request must not make any process refuse signals.
      const objection = await checks.objectionTo(type);
      if (objection) return objection;
      const retired: Retirement = {
        ...{ id: randomUUID(), phase: 'checking', by, ...(reason ? { reason } : {}) },
        ...{ at: new Date().toISOString(), ...this.stamp() },
      };
      const record = { ...entry.value, retired };
      const revision = await types.records.compareAndSet(type, record, entry.revision);
      if (revision !== null) return this.check({ type, record, revision });
    }
    return unavailable(`the record of "${type}" changes all the time: try again`);
  }

  /** Waits for a retirement that another process runs. @returns its result, or undefined if it was undone */
  private async join(type: string, { id }: Retirement): Promise<ReplyOf<'retire'> | undefined> {
    const { records } = this.deps.types;
    const endMs = Date.now() + JOIN_LIMIT_MS;
    while (Date.now() < endMs) {
      const now = (await records.read(type))?.value.retired;
      if (now?.id !== id) return undefined;
      if (now.phase === 'done') return this.retired(type, now);
      await sleep(LOOK_MS);
    }
    return unavailable(`another request to retire "${type}" is not finished yet: try again`);
  }

  private async check(marked: Marked): Promise<ReplyOf<'retire'>> {
    const { checks } = this.deps;
    const { type, record } = marked;
    const objection = await checks
      .sealAll(type, record.retired.id)
      .then((unsealed) => unsealed ?? checks.objectionTo(type))
      .catch((error: unknown) => unavailable(`not known whether "${type}" has work: ${String(error)}`));
    if (objection) {
      await this.undo(marked);
      return objection;
    }
    const removing = await this.advance(marked, 'removing');
    if (!removing) return this.overtaken(type);
    return this.finish(removing).catch((error: unknown) => {
      this.context.log.warn('retirement not finished yet', { signal_type: type, error });
      return unavailable(`"${type}" is retired, and not all of it is removed yet: ${String(error)}`);
    });
  }

  private async finish(marked: Marked): Promise<ReplyOf<'retire'>> {
    const { bus, log } = this.context;
    const { checks, cards } = this.deps;
    const { type, record } = marked;
    if (await checks.isQueued(type)) return this.keep(type);
    await deleteLanes(bus, type);
    await cards.retire(type);
    const request: RequestOf<'retireLine'> = { signal_type: type, retirement: record.retired };
    await Promise.all(KEEPERS.map((name) => ask(bus, name, request, { timeoutMs: KEEPER_LIMIT_MS })));
    if (await checks.isQueued(type)) return this.keep(type);
    const done = await this.advance(marked, 'done');
    if (!done) return this.overtaken(type);
    const { by, reason } = record.retired;
    log.info('signal type retired', { signal_type: type, by, reason });
    return this.retired(type, done.record.retired);
  }

  /** Removes the mark. No client was told that the type is retired. */
  private async undo({ type, record, revision }: Marked): Promise<void> {
    const { retired: _over, ...before } = record;
    await this.deps.types.records.compareAndSet(type, before, revision);
  }

  /** Keeps the type, because a signal was accepted before every process refused it. */
  private async keep(type: string): Promise<ReplyOf<'retire'>> {
    await this.deps.revival.bringBack(type);
    return this.refusalOf(type, `a signal of "${type}" came at the same moment: try again`);
  }

  /** Somebody else wrote the record: another kanban process, or a worker that announced the type and may have lost its lanes. */
  private async overtaken(type: string): Promise<ReplyOf<'retire'>> {
    const { retired } = (await this.deps.types.records.read(type))?.value ?? {};
    const joined = retired && (await this.join(type, retired));
    if (joined) return joined;
    await ensureLanes(this.context.bus, type, this.context.config.TPS_LEASE_MS);
    return this.refusalOf(type, `a worker announced "${type}" at the same moment: try again`);
  }

  private async refusalOf(type: string, otherwise: string): Promise<ReplyOf<'retire'>> {
    return (await this.deps.checks.objectionTo(type)) ?? unavailable(otherwise);
  }

  /** Takes over an abandoned retirement: undoes it if nothing was removed yet, and finishes it otherwise. */
  private takeOver(marked: Marked): void {
    const { type, record } = marked;
    const { owner, lease_until } = record.retired;
    const free = owner === this.context.instance || Date.parse(lease_until) < Date.now();
    if (!free || this.running.has(type) || Date.now() < this.retryAtMs) return;
    this.context.log.info('retirement taken over', { signal_type: type, from: owner });
    this.run(type, this.resume(marked)).then(
      () => void (this.failures = 0),
      (error: unknown) => {
        this.failures += 1;
        this.retryAtMs = Date.now() + pauseMs(BACKOFF, this.failures);
        this.context.log.warn('retirement not finished yet', { signal_type: type, error });
      },
    );
  }

  private async resume(marked: Marked): Promise<ReplyOf<'retire'>> {
    const { phase } = marked.record.retired;
    const mine = await this.advance(marked, phase);
    if (mine && phase === 'removing') return this.finish(mine);
    if (mine) await this.undo(mine);
    return unavailable('left to another process, or undone');
  }

  /** Writes the next phase. @returns null if somebody else wrote the record first */
  private async advance(
    { type, record, revision }: Marked,
    phase: Retirement['phase'],
  ): Promise<Marked | null> {
    const next = { ...record, retired: { ...record.retired, phase, ...this.stamp() } };
    const written = await this.deps.types.records.compareAndSet(type, next, revision);
    return written === null ? null : { type, record: next, revision: written };
  }

  private stamp(): Pick<Retirement, 'owner' | 'lease_until'> {
    const lease_until = new Date(Date.now() + LEASE_MS).toISOString();
    return { owner: this.context.instance, lease_until };
  }

  private async retired(type: string, { by, reason, at }: Retirement): Promise<ReplyOf<'retire'>> {
    const dead_letters = (await this.deps.deadLetters.find({ type })).length;
    return { retired: { signal_type: type, by, ...(reason ? { reason } : {}), at, dead_letters } };
  }
}
