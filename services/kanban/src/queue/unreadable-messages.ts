import type { StoredMsg } from '@nats-io/jetstream';
import { encodeHeaders, managerOf } from '@tps/bus';
import { isOfLaterVersion, METRICS, unreadableDeadLetter } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import { Counter } from 'prom-client';

/** Moves messages of the queue that are no signals to the dead letters, as workers do with those that they receive. */
export class UnreadableMessages {
  private readonly count: Counter;

  constructor(private readonly context: ServiceContext) {
    this.count = new Counter({ ...METRICS.queueUnreadable, registers: [context.registry] });
  }

  /** @returns false if the message stays: DEAD did not take it, or processes of a later version can read it */
  async moveToDeadLetters(message: StoredMsg): Promise<boolean> {
    const { bus, log } = this.context;
    const { subject, seq } = message;
    if (isOfLaterVersion(message)) return false;
    const type = subject.split('.').at(-3) ?? '';
    const { letter, headers } = unreadableDeadLetter(subject, seq, message.data);
    try {
      await bus.publisher.publish(bus.names.subjects.dead(type), JSON.stringify(letter), {
        headers: encodeHeaders(headers),
      });
      const jsm = await managerOf(bus);
      await jsm.streams.deleteMessage(bus.names.streams.kanban, seq, false);
    } catch (error) {
      log.warn('unreadable message not removed yet', { subject, seq, error });
      return false;
    }
    this.count.inc();
    log.error('unreadable signal', { subject, seq });
    return true;
  }
}
