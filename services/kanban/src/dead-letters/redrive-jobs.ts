import { type KvView, openView, type RecordsClient, restoreMissing } from '@tps/bus';
import { type RedriveJob, type ReplyOf, type RequestOf, retirementText, WIRE_VERSION } from '@tps/contracts';
import type { LineView, TypesView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { DeadLetterEntry, DeadLetterStore } from './dead-letter-store';
import { RedriveLostError, RedriveRunner } from './redrive-runner';
import type { Requeuer } from './requeuer';

/** The owner of a job renews its lease every two seconds. After the lease ends, another process takes over. */
const LEASE_MS = 10_000;
const MAX_RUNNING = 8;
const MAX_ENDED = 50;
const MAX_WAIT_MS = 25_000;
const MAX_CONFLICTS = 5;
const CATCH_UP_MS = 1_000;

const FULL: ReplyOf<'redriveStart'> = { refused: `${MAX_RUNNING} redrives are under way` };

export interface RedriveJobsDeps {
  deadLetters: DeadLetterStore;
  requeuer: Requeuer;
  records: RecordsClient;
  lines: LineView;
  types: TypesView;
}

/**
 * Keeps the redrive jobs as records in a bucket. The replica that starts a job runs it. When that replica stops or dies,
 * another one, or the same after its restart, continues where the record says.
 */
export class RedriveJobs {
  private readonly runs = new Map<string, RedriveRunner>();
  private readonly working = new Set<Promise<void>>();
  private readonly waiters = new Map<string, Set<() => void>>();
  /** Jobs whose record is being written, which `running` may or may not show yet. */
  private readonly starting = new Set<string>();
  private stopping = false;

  private constructor(
    private readonly context: ServiceContext,
    private readonly deps: RedriveJobsDeps,
    private readonly view: KvView<RedriveJob>,
  ) {}

  static async open(context: ServiceContext, deps: RedriveJobsDeps): Promise<RedriveJobs> {
    const { bus, config, log } = context;
    let jobs: RedriveJobs | undefined = undefined;
    const view = await openView(bus, 'redrives', {
      replicas: config.TPS_NATS_REPLICAS,
      // While the bucket is loaded no job runs here yet.
      onChange: (id, record) => jobs?.changed(id, record),
      onError: (error) => log.error('bucket', { error }),
      restore: restoreMissing,
    });
    jobs = new RedriveJobs(context, deps, view);
    return jobs;
  }

  /** Starts a job, or counts the dead letters that it would take (`dry_run`). */
  async start({
    id,
    filter,
    probe,
    max_per_s,
    dry_run,
  }: RequestOf<'redriveStart'>): Promise<ReplyOf<'redriveStart'>> {
    const found = await this.deps.deadLetters.find(filter);
    const deadLetters = found.filter(({ status }) => status !== 'invalid');
    const retired = this.retiredOf([
      ...deadLetters.map(({ type }) => type),
      ...(filter.type ? [filter.type] : []),
    ]);
    if (retired) return { retired };
    if (dry_run) {
      const types: Record<string, number> = {};
      for (const { type } of deadLetters) types[type] = (types[type] ?? 0) + 1;
      return { dry_run, matched: deadLetters.length, types };
    }
    // Do not await anything before the reservation: another request would see the same free place.
    const taken = new Set([...this.starting, ...this.running().map((running) => running.id)]);
    if (taken.size >= MAX_RUNNING) return FULL;
    this.starting.add(id);
    try {
      return await this.begin({ id, filter, probe, max_per_s }, deadLetters);
    } finally {
      this.starting.delete(id);
    }
  }

  private async begin(
    { id, filter, probe, max_per_s }: Omit<RequestOf<'redriveStart'>, 'dry_run'>,
    deadLetters: readonly DeadLetterEntry[],
  ): Promise<ReplyOf<'redriveStart'>> {
    const now = new Date().toISOString();
    const record: RedriveJob = {
      ...{ v: WIRE_VERSION, id, filter, probe, max_per_s, state: 'running', phase: 0, probing: [] },
      ...{ up_to_seq: deadLetters.at(-1)?.seq ?? 0, matched: deadLetters.length },
      ...{ redriven: 0, probes_succeeded: 0, skipped: 0, created_at: now },
      ...this.stamp(),
    };
    // The request was repeated because its answer was lost, so the job runs already.
    if ((await this.view.compareAndSet(id, record, 0)) === null)
      return { redrive: (await this.view.read(id))?.value ?? record };
    // Another replica may have started a job at the same moment, so every replica counts again after its write.
    await this.view.caughtUp(CATCH_UP_MS);
    if (this.running().length > MAX_RUNNING) {
      await this.view.remove(id);
      return FULL;
    }
    this.work(record);
    await this.prune();
    return { redrive: record };
  }

  /** Returns a job, after waiting for its end or cancelling it if asked to. */
  async get({ id, wait_ms = 0, cancel }: RequestOf<'redrive'>): Promise<ReplyOf<'redrive'>> {
    if (cancel) await this.cancel(id);
    const record = this.view.get(id) ?? (await this.view.read(id))?.value;
    if (record?.state === 'running' && wait_ms > 0) await this.ended(id, Math.min(wait_ms, MAX_WAIT_MS));
    return { redrive: this.view.get(id) ?? record ?? null };
  }

  /** Running jobs that have dead letters of the type left, or wait for one as a probe. */
  async busyWith(type: string): Promise<string[]> {
    const busy: string[] = [];
    for (const { id, filter, up_to_seq, probing } of this.running()) {
      const mayHave = filter.type === undefined || filter.type === type;
      const left = mayHave ? await this.deps.deadLetters.find({ ...filter, type }) : [];
      const probes = probing.some((probe) => probe.type === type);
      if (probes || left.some(({ seq }) => seq <= up_to_seq)) busy.push(id);
    }
    return busy;
  }

  /** All jobs, newest first. */
  list(): ReplyOf<'redrives'> {
    const redrives = this.view.values().sort((a, b) => b.created_at.localeCompare(a.created_at));
    return { redrives };
  }

  /** Called every second: takes over the jobs whose owner is gone. */
  async tick(): Promise<void> {
    const now = Date.now();
    for (const { id, owner, lease_until } of this.running()) {
      // A job of this instance was left by its previous process.
      const free = owner === this.context.instance || Date.parse(lease_until) < now;
      const entry = this.view.entry(id);
      if (!free || !entry || this.stopping || this.runs.has(id)) continue;
      const record = { ...entry.value, ...this.stamp() };
      if ((await this.view.compareAndSet(id, record, entry.revision)) === null) continue;
      this.context.log.info('redrive taken over', { id, from: owner });
      this.work(record);
    }
  }

  /** Leaves the running jobs to other replicas, and ends their leases so that nobody waits for them. */
  async stop(): Promise<void> {
    this.stopping = true;
    for (const run of this.runs.values()) run.abandon(new RedriveLostError('the process stops'));
    await Promise.all(this.working);
    for (const { id, owner } of this.running()) {
      const entry = this.view.entry(id);
      if (!entry || owner !== this.context.instance) continue;
      await this.view.compareAndSet(
        id,
        { ...entry.value, lease_until: new Date(0).toISOString() },
        entry.revision,
      );
    }
    this.view.close();
  }

  private retiredOf(types: string[]): string | undefined {
    const retired = [...new Set(types)].flatMap((type) => {
      const retirement = this.deps.types.retirement(type);
      return retirement ? [retirementText(type, retirement)] : [];
    });
    return retired.length > 0 ? retired.join('; ') : undefined;
  }

  private work(record: RedriveJob): void {
    const { bus, log } = this.context;
    const run = new RedriveRunner(record, { ...this.deps, bus, save: (changed) => this.save(changed) });
    this.runs.set(record.id, run);
    const done = run
      .run()
      .catch((error: unknown) => void log.warn('redrive left as it is', { id: record.id, error }))
      .finally(() => {
        this.runs.delete(record.id);
        this.working.delete(done);
      });
    this.working.add(done);
  }

  private async save(record: RedriveJob): Promise<void> {
    const entry = this.view.entry(record.id);
    const mine = entry?.value.state === 'running' && entry.value.owner === this.context.instance;
    const saved =
      mine && (await this.view.compareAndSet(record.id, { ...record, ...this.stamp() }, entry.revision));
    if (!saved) throw new RedriveLostError('cancelled, or taken over');
  }

  private async cancel(id: string): Promise<void> {
    for (let conflict = 0; conflict < MAX_CONFLICTS; conflict += 1) {
      const entry = await this.view.read(id);
      if (entry?.value.state !== 'running') return;
      const finished_at = new Date().toISOString();
      const record: RedriveJob = { ...entry.value, state: 'cancelled', finished_at, updated_at: finished_at };
      if ((await this.view.compareAndSet(id, record, entry.revision)) !== null) return;
    }
    throw new RedriveLostError('changed by others all the time');
  }

  private stamp(): Pick<RedriveJob, 'owner' | 'updated_at' | 'lease_until'> {
    const now = Date.now();
    const lease_until = new Date(now + LEASE_MS).toISOString();
    return { owner: this.context.instance, updated_at: new Date(now).toISOString(), lease_until };
  }

  private running(): RedriveJob[] {
    return this.view.values().filter(({ state }) => state === 'running');
  }

  private changed(id: string, record: RedriveJob | undefined): void {
    if (record?.state === 'running') return;
    this.runs.get(id)?.abandon(new RedriveLostError('ended by somebody else'));
    for (const leave of this.waiters.get(id) ?? []) leave();
  }

  private ended(id: string, limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const waiters = this.waiters.get(id) ?? new Set();
      this.waiters.set(id, waiters);
      const leave = (): void => {
        clearTimeout(timer);
        waiters.delete(leave);
        if (waiters.size === 0) this.waiters.delete(id);
        resolve();
      };
      const timer = setTimeout(leave, limitMs);
      waiters.add(leave);
    });
  }

  private async prune(): Promise<void> {
    const ended = this.list().redrives.filter(({ state }) => state !== 'running');
    for (const { id } of ended.slice(MAX_ENDED)) await this.view.remove(id);
  }
}
