import { BackupConnection } from '@tps/backup';
import type { Bus } from '@tps/bus';
import type { BackupStatus, DrainVitals } from '@tps/contracts';
import { BEAT_MS, type FleetView, type Logger } from '@tps/service';
import { type BackupSignal, BackupPublisher } from './backup-publisher';
import { BackupMode } from './backup-mode';

export interface GatewayBackupDeps {
  url: string;
  caFile: string;
  maxLength: number;
  instance: string;
  bus: Bus;
  fleet: FleetView;
  log: Logger;
}

const OBSERVE_MS = 1_000;
/** What kanban has in hand RabbitMQ does not count: it is known by kanban's beats, and those are behind. */
const BEHIND_MS = 2 * BEAT_MS;

/** RabbitMQ, as this gateway uses it: takes signals when kanban does not, and knows when that is over. */
export class GatewayBackup {
  private readonly mode = new BackupMode();
  private observer: NodeJS.Timeout | undefined;
  private readonly offReconnect: () => void;
  /** Until then kanban's beats may not tell of what it was given just now. */
  private unsureUntilMs = 0;

  private constructor(
    private readonly options: GatewayBackupDeps,
    private readonly link: BackupConnection,
    private readonly queue: BackupPublisher,
  ) {
    this.offReconnect = options.bus.onReconnect(() => this.beUnsure());
  }

  static async open(options: GatewayBackupDeps): Promise<GatewayBackup> {
    const { url, caFile, maxLength, instance, bus, log } = options;
    const name = bus.names.queues.backup;
    const link = await BackupConnection.open({
      url,
      caFile,
      queue: name,
      maxLength,
      name: `tps-system ${instance}`,
      log,
      onOpen: async (channel) => queue.listen(channel),
    });
    const queue = new BackupPublisher(link, name, log);
    return new GatewayBackup(options, link, queue);
  }

  /** NATS fails, or did until lately: until it drains the backup, new signals go there without asking kanban. */
  get active(): boolean {
    return this.mode.active;
  }

  get reachable(): boolean {
    return this.queue.reachable;
  }

  /** What is put there now reaches its worker within moments. */
  get drains(): boolean {
    return this.options.bus.connected && this.drainers().some((drain) => drain.reachable && drain.appends);
  }

  /** kanban took a signal. */
  taken(): void {
    this.mode.taken();
  }

  /**
   * @param instead kanban did not take the signal; otherwise it was not asked, which says nothing of it
   * @throws BackupPublishError
   */
  async put(backupSignal: BackupSignal, instead: boolean): Promise<void> {
    await this.queue.put(backupSignal);
    this.beUnsure();
    if (instead && this.mode.saved(Date.now())) this.begin();
  }

  /** Whether the backup may hold signals of which nobody else knows. */
  async mayHold(): Promise<boolean> {
    if (Date.now() < this.unsureUntilMs) return true;
    const drainers = this.drainers().filter(({ reachable }) => reachable);
    if (drainers.some(({ on_backup }) => on_backup > 0)) return true;
    return this.link.queuedMessages().then(
      (waiting) => waiting > 0,
      () => drainers.length === 0,
    );
  }

  /** kanban knows of gateways by their beats, and after an outage it has not heard them yet: each speaks for itself. */
  amend(said: BackupStatus): BackupStatus {
    return { ...said, active: said.active || this.active };
  }

  /** What this gateway knows while kanban does not answer, on top of what kanban said last. */
  async status(last?: BackupStatus): Promise<BackupStatus> {
    const { reachable, active } = this;
    const { reconciled = 0, duplicates_suppressed = 0 } = last ?? {};
    const on_backup = await this.link.queuedMessages().catch(() => last?.on_backup ?? 0);
    return { configured: true, reachable, active, on_backup, reconciled, duplicates_suppressed };
  }

  async close(): Promise<void> {
    clearInterval(this.observer);
    this.offReconnect();
    this.queue.close();
    await this.link.close();
  }

  private beUnsure(): void {
    this.unsureUntilMs = Date.now() + BEHIND_MS;
  }

  private drainers(): DrainVitals[] {
    const beats = this.options.fleet.of('kanban');
    return beats.flatMap(({ vitals }) => vitals.backup ?? []);
  }

  private begin(): void {
    const { log } = this.options;
    log.warn('kanban takes no signals: they go to the backup');
    this.observer = setInterval(() => {
      if (!this.mode.observe(this.drains, Date.now())) return;
      clearInterval(this.observer);
      log.info('kanban is asked again before the backup');
    }, OBSERVE_MS);
  }
}
