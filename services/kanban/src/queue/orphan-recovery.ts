import type { StoredMsg } from '@nats-io/jetstream';
import { encodeHeaders, headerValues, managerOf, type RecordsClient } from '@tps/bus';
import { decodeSignal, laneName, runKey, type Signal, SUSPECT_HEADER } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { QueueStats } from './queue-stats';
import type { UnreadableMessages } from './unreadable-messages';

const MAX_PER_TICK = 100;
/** Orphans must show in this many counts in a row, because the figures of one count are read by several requests. */
const SURE_AFTER_COUNTS = 3;

interface Orphan {
  signal: Signal;
  message: StoredMsg;
}

/**
 * Recovers messages that no lane counts. A killed broker may come back with messages that their lane has acknowledged
 * already: the state of the lane was saved, the removal was not. No pull delivers them, and they take up the buffer.
 * Orphans with a final outcome are removed. Any other one is queued again as a suspect before it is removed.
 */
export class OrphanRecovery {
  private counts = 0;

  constructor(
    private readonly context: ServiceContext,
    private readonly queue: QueueStats,
    private readonly unreadable: UnreadableMessages,
    private readonly records: RecordsClient,
  ) {}

  /** Called every second. @throws if the records do not answer; then nothing is changed */
  async tick(): Promise<void> {
    this.counts = this.queue.orphans > 0 ? this.counts + 1 : 0;
    if (this.counts < SURE_AFTER_COUNTS) return;
    this.counts = 0;
    const orphans = await this.find();
    if (orphans.length === 0) return;
    const finished = await this.records.finishedRuns(orphans.map(({ signal }) => signal));
    this.context.log.warn('messages without a lane', { count: orphans.length, finished: finished.size });
    await Promise.all(orphans.map((orphan) => this.recover(orphan, finished.has(runKey(orphan.signal)))));
    // The next tick may recover more at once.
    this.counts = SURE_AFTER_COUNTS;
  }

  private async recover({ message }: Orphan, isFinished: boolean): Promise<void> {
    const { bus } = this.context;
    if (!isFinished) await this.requeueOrphan(message);
    await (await managerOf(bus)).streams.deleteMessage(bus.names.streams.kanban, message.seq, false);
  }

  /** Messages at or below the acknowledged floor of their lane, oldest first. Unreadable ones become dead letters. */
  private async find(): Promise<Orphan[]> {
    const { bus } = this.context;
    const jsm = await managerOf(bus);
    const highest = Math.max(0, ...this.queue.ackFloors.values());
    const found: Orphan[] = [];
    let seq = this.queue.firstSeq;
    while (seq <= highest && found.length < MAX_PER_TICK) {
      const query = { seq, next_by_subj: '>' };
      // The copy of the leader counts. A replica may not have the orphans.
      const message = await jsm.streams.getMessage(bus.names.streams.kanban, query);
      if (!message) break;
      seq = message.seq + 1;
      const [type = '', priority] = message.subject.split('.').slice(-3);
      const floor = this.queue.ackFloors.get(laneName(type, Number(priority))) ?? 0;
      if (message.seq > floor) continue;
      const signal = decodeSignal(message);
      if (signal) found.push({ signal, message });
      else await this.unreadable.moveToDeadLetters(message);
    }
    return found;
  }

  private async requeueOrphan(message: StoredMsg): Promise<void> {
    const entries: [string, string][] = [
      ['Nats-Msg-Id', `rescue:${message.seq}:${message.time.getTime()}`],
      [SUSPECT_HEADER, '1'],
    ];
    for (const name of ['traceparent', 'tracestate']) {
      const value = headerValues(message.header, name)[0];
      if (value) entries.push([name, value]);
    }
    await this.context.bus.publisher.publish(message.subject, message.data, {
      headers: encodeHeaders(entries),
    });
  }
}
