import type { StoredMsg } from '@nats-io/jetstream';
import { encodeHeaders, headerValues, managerOf } from '@tps/bus';
import { laneName, type Signal, SUSPECT_HEADER } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { QueueStats } from './queue-stats';
import { finishedRuns, runKey } from '../records';
import { signalIn, type UnreadableMessages } from './unreadable-messages';

const AT_ONCE = 100;
/** So many readings in a row must say so: between two requests the books may differ by what is under way. */
const SURE_AFTER = 3;

interface Orphan {
  signal: Signal;
  message: StoredMsg;
}

/**
 * A broker that is killed may come back with messages in the stream that their lane has acknowledged already: the
 * lane's books were saved, the removal was not. No pull ever gets them, and they take up the buffer. Those with a
 * final outcome are removed; should one have none, it is queued again as a suspect before it is removed.
 */
export class OrphanRecovery {
  recovered = 0;
  private seen = 0;

  constructor(
    private readonly context: ServiceContext,
    private readonly queue: QueueStats,
    private readonly unreadable: UnreadableMessages,
  ) {}

  async tick(): Promise<void> {
    this.seen = this.queue.orphans > 0 ? this.seen + 1 : 0;
    if (this.seen < SURE_AFTER) return;
    this.seen = 0;
    const stranded = await this.find();
    if (stranded.length === 0) return;
    // Throws when the records do not answer: then nothing is touched.
    const finished = await finishedRuns(
      this.context.bus,
      stranded.map(({ signal }) => signal),
    );
    this.context.log.warn('messages without a lane', { count: stranded.length, finished: finished.size });
    await Promise.all(stranded.map((each) => this.recover(each, finished.has(runKey(each.signal)))));
    // There may be more of what is sure by now.
    this.seen = SURE_AFTER;
  }

  private async recover({ message }: Orphan, finished: boolean): Promise<void> {
    const { bus } = this.context;
    if (!finished) await this.requeueOrphan(message);
    await (await managerOf(bus)).streams.deleteMessage(bus.names.streams.kanban, message.seq, false);
    this.recovered += 1;
  }

  /** Messages at or below the acknowledged floor of their lane, the oldest first; what is no signal is taken out. */
  private async find(): Promise<Orphan[]> {
    const { bus } = this.context;
    const jsm = await managerOf(bus);
    const highest = Math.max(0, ...this.queue.ackFloors.values());
    const found: Orphan[] = [];
    let seq = this.queue.firstSeq;
    while (seq <= highest && found.length < AT_ONCE) {
      const query = { seq, next_by_subj: '>' };
      // Of the leader: its copy is the one that counts, and another may be without what is stranded here.
      const message = await jsm.streams.getMessage(bus.names.streams.kanban, query);
      if (!message) break;
      seq = message.seq + 1;
      const [type = '', priority] = message.subject.split('.').slice(-3);
      const floor = this.queue.ackFloors.get(laneName(type, Number(priority))) ?? 0;
      if (message.seq > floor) continue;
      const signal = signalIn(message);
      if (signal) found.push({ signal, message });
      else if (await this.unreadable.moveToDeadLetters(message)) this.recovered += 1;
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
