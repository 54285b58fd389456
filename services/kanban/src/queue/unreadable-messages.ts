import type { StoredMsg } from '@nats-io/jetstream';
import { encodeHeaders, managerOf } from '@tps/bus';
import { unreadableDeadLetter, isOfLaterVersion, METRICS, parseSignal, type Signal } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import { Counter } from 'prom-client';

/** The signal in a message of the queue, or null when it is none. */
export function signalIn(message: StoredMsg): Signal | null {
  try {
    const signal = parseSignal(message);
    const { signal_type, priority, id } = signal;
    return message.subject.endsWith(`.${signal_type}.${priority}.${id}`) ? signal : null;
  } catch {
    return null;
  }
}

/** Takes what is no signal out of the queue, as workers do where one comes by: it is kept as a dead letter. */
export class UnreadableMessages {
  private readonly count: Counter;

  constructor(private readonly context: ServiceContext) {
    this.count = new Counter({
      ...METRICS.queueUnreadable,
      registers: [context.registry],
    });
  }

  /** @returns false when it is still there: DEAD did not take it, or processes of a later version can read it */
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
      log.warn('unreadable message not taken out yet', { subject, seq, error });
      return false;
    }
    this.count.inc();
    log.error('unreadable signal', { subject, seq });
    return true;
  }
}
