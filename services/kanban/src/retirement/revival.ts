import { ensureLanes } from '@tps/bus';
import type { TypesView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { BackupMessage } from '../backup/backup-message';
import type { KanbanConfig } from '../config';

/**
 * Brings a retired type back, as it was, when an accepted signal of it turns up. A gateway that did not know of the
 * retirement may have put it on the backup, or a kanban process that hung may have appended it late. The signal then waits
 * for a worker like any other, as the board shows.
 */
export class Revival {
  constructor(
    private readonly context: ServiceContext<KanbanConfig>,
    private readonly types: TypesView,
  ) {}

  /** Removes the retirement from the record of the type, and creates its lanes. */
  async bringBack(type: string): Promise<void> {
    const revived = await this.types.records.update(type, (record) => {
      if (!record?.retired) return null;
      const { retired: _over, ...before } = record;
      return before;
    });
    if (!revived) return;
    await ensureLanes(this.context.bus, type, this.context.config.TPS_LEASE_MS);
    this.context.log.warn('a retired type is back: a signal of it had been accepted', { signal_type: type });
  }

  /**
   * Whether a signal has to stay on the backup for now, because the retirement of its type is under way, or is being
   * undone for this signal.
   */
  async defers({ signal, fromGateway }: BackupMessage): Promise<boolean> {
    const { signal_type: type } = signal;
    const { phase } = this.types.retirement(type) ?? {};
    if (phase === 'done' && fromGateway) {
      const later = (error: unknown): void =>
        void this.context.log.warn('type not brought back yet', { error });
      await this.bringBack(type).catch(later);
    }
    return phase !== undefined && (phase !== 'done' || fromGateway);
  }
}
