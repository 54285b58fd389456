import { BackupConnection } from '@tps/backup';
import type { Bus } from '@tps/bus';
import { type BackupStatus, type BackupDrainerVitals, HEARTBEAT_MS } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import type { Logger } from '@tps/telemetry';
import { BackupMode } from './backup-mode';
import { BackupPublisher, type BackupSignal } from './backup-publisher';

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
/** RabbitMQ does not count what kanban has taken and not moved yet. Heartbeats report it, up to this late. */
const REPORT_DELAY_MS = 2 * HEARTBEAT_MS;

/** RabbitMQ as this gateway uses it: takes signals while kanban does not, and knows when that is over. */
export class GatewayBackup {
  private readonly mode = new BackupMode();
  private observer: NodeJS.Timeout | undefined;
  private readonly offReconnect: () => void;
  /** Until then, kanban's heartbeats may not report what was put into the backup just now. */
  private unreportedUntilMs = 0;

  private constructor(
    private readonly deps: GatewayBackupDeps,
    private readonly connection: BackupConnection,
    private readonly publisher: BackupPublisher,
  ) {
    this.offReconnect = deps.bus.onReconnect(() => this.awaitReport());
  }

  static async open(deps: GatewayBackupDeps): Promise<GatewayBackup> {
    const { url, caFile, maxLength, instance, bus, log } = deps;
    const queue = bus.names.queues.backup;
    const connection = await BackupConnection.open({
      url,
      caFile,
      queue,
      maxLength,
      name: `tps-system ${instance}`,
      log,
      onOpen: async (channel) => publisher.listen(channel),
    });
    const publisher = new BackupPublisher(connection, queue, log);
    return new GatewayBackup(deps, connection, publisher);
  }

  /** Backup mode is on. */
  get active(): boolean {
    return this.mode.active;
  }

  get reachable(): boolean {
    return this.publisher.reachable;
  }

  /** kanban moves signals out of the backup, so what is put there now reaches a worker within moments. */
  get drains(): boolean {
    return this.deps.bus.connected && this.drainers().some((drainer) => drainer.reachable && drainer.appends);
  }

  onKanbanTook(): void {
    this.mode.onKanbanTook();
  }

  /**
   * Resolves when the signal is on disk at RabbitMQ.
   * @param countsAsOutage counts towards backup mode: kanban did not take the signal, or could not be asked
   * @throws BackupPublishError
   */
  async publish(signal: BackupSignal, countsAsOutage: boolean): Promise<void> {
    await this.publisher.publish(signal);
    this.awaitReport();
    if (countsAsOutage && this.mode.onBackupTook(Date.now())) this.begin();
  }

  /** Tells whether the backup may hold signals that no other part of the fleet knows. */
  async mayHold(): Promise<boolean> {
    if (Date.now() < this.unreportedUntilMs) return true;
    const drainers = this.drainers().filter(({ reachable }) => reachable);
    if (drainers.some(({ on_backup }) => on_backup > 0)) return true;
    return this.connection.queuedMessages().then(
      (waiting) => waiting > 0,
      () => drainers.length === 0,
    );
  }

  /** Adds this gateway's mode to kanban's report: after an outage kanban has not heard the gateways' heartbeats yet. */
  amend(reported: BackupStatus): BackupStatus {
    return { ...reported, active: reported.active || this.active };
  }

  /** Reports what this gateway knows while kanban does not answer; the counts are kanban's last ones. */
  async status(last?: BackupStatus): Promise<BackupStatus> {
    const { reachable, active } = this;
    const { reconciled = 0, duplicates_suppressed = 0 } = last ?? {};
    const on_backup = await this.connection.queuedMessages().catch(() => last?.on_backup ?? 0);
    return { configured: true, reachable, active, on_backup, reconciled, duplicates_suppressed };
  }

  async close(): Promise<void> {
    clearInterval(this.observer);
    this.offReconnect();
    this.publisher.close();
    await this.connection.close();
  }

  private awaitReport(): void {
    this.unreportedUntilMs = Date.now() + REPORT_DELAY_MS;
  }

  private drainers(): BackupDrainerVitals[] {
    return this.deps.fleet.of('kanban').flatMap(({ vitals }) => vitals.backup ?? []);
  }

  private begin(): void {
    const { log } = this.deps;
    log.warn('backup mode is on: kanban takes no signals, so they go to the backup first');
    this.observer = setInterval(() => {
      if (!this.mode.observe(this.drains, Date.now())) return;
      clearInterval(this.observer);
      log.info('backup mode is off: signals go to kanban first again');
    }, OBSERVE_MS);
  }
}
