import { ensureLanes } from '@tps/bus';
import type { TypesView } from '@tps/fleet';
import type { ServiceContext } from '@tps/service';
import type { BackupMessage } from '../backup/backup-message';
import type { KanbanConfig } from '../config';

/**
 * Brings a retired type back, as it was, when a signal of it turns up that was accepted: by a gateway that knew nothing
 * of the retirement and put it on the backup, or by an append that was on its way while its kanban process hung. The
 * signal then waits for a worker like any other, and the board says so.
 */
export class Revival {
  constructor(
    private readonly context: ServiceContext<KanbanConfig>,
    private readonly types: TypesView,
  ) {}

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
   * For a signal on the backup: whether it has to stay there for the moment, because the retirement of its type is under
   * way, or is undone for its sake.
   */
  async holds({ signal, fromGateway }: BackupMessage): Promise<boolean> {
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
