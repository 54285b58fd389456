import { type KaizenSnapshot, parseKaizenSnapshot } from '@tps/contracts';
import { Snapshots } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { KaizenConfig } from './config';

const EVERY_MS = 30_000;
/** A stop does not wait longer for the last snapshot. Without it the next start reads more of the log. */
const LAST_LIMIT_MS = 4_000;

/** Writes the totals into the object store every 30 s if they changed, and once more at a graceful stop. */
export class SnapshotWriter {
  private readonly snapshots: Snapshots<KaizenSnapshot>;
  private take: (() => KaizenSnapshot) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();
  private written = { atMs: 0, seq: 0 };

  constructor(private readonly context: ServiceContext<KaizenConfig>) {
    const { bus, config, log } = context;
    this.snapshots = new Snapshots(bus, {
      store: bus.names.stores.kaizen,
      parse: parseKaizenSnapshot,
      replicas: config.TPS_NATS_REPLICAS,
      onUnreadable: (error) =>
        log.error('the snapshot cannot be read, so the whole log is counted', { error }),
    });
  }

  /** @throws Error if NATS does not answer */
  async read(): Promise<KaizenSnapshot | undefined> {
    const snapshot = await this.snapshots.read();
    if (snapshot) this.written = { atMs: snapshot.log.at_ms, seq: snapshot.log.seq };
    return snapshot;
  }

  start(take: () => KaizenSnapshot): void {
    this.take = take;
    this.timer = setInterval(() => this.write(), EVERY_MS).unref();
  }

  /** Writes a snapshot now, after the one that is being written. */
  write(): void {
    this.writing = this.writing.then(() => this.writeChanged());
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.write();
    const late = new Promise<void>((resolve) => setTimeout(resolve, LAST_LIMIT_MS).unref());
    await Promise.race([this.writing, late]);
  }

  private async writeChanged(): Promise<void> {
    const { log, bus } = this.context;
    if (!this.take || !bus.connected) return;
    try {
      const snapshot = this.take();
      const place = { atMs: snapshot.log.at_ms, seq: snapshot.log.seq };
      if (place.atMs === this.written.atMs && place.seq === this.written.seq) return;
      await this.snapshots.write(place, snapshot);
      this.written = place;
    } catch (error) {
      log.warn('the snapshot was not written; the next one follows', { error });
    }
  }
}
