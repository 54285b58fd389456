import type { StoredMsg } from '@nats-io/jetstream';
import { encodeHeaders, managerOf } from '@tps/bus';
import { invalidLetter, type Signal } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import { Counter } from 'prom-client';

/** The signal in a message of the queue, or null when it is none. */
export function signalIn(message: StoredMsg): Signal | null {
  try {
    const signal = message.json<Signal>();
    const sound =
      message.subject.endsWith(`.${signal.signal_type}.${signal.priority}.${signal.id}`) &&
      signal.timeout_ms > 0 &&
      Number.isInteger(signal.run) &&
      !Number.isNaN(Date.parse(signal.created_at));
    return sound ? signal : null;
  } catch {
    return null;
  }
}

/** Takes what is no signal out of the queue, as workers do where one comes by: it is kept as a dead letter. */
export class Unreadable {
  private readonly count: Counter;

  constructor(private readonly context: ServiceContext) {
    this.count = new Counter({
      name: 'tps_kanban_unreadable_total',
      help: 'Messages of the queue that were no signals and became dead letters',
      registers: [context.registry],
    });
  }

  /** @returns false when it is still there: DEAD did not take it */
  async discard(message: StoredMsg): Promise<boolean> {
    const { bus, log } = this.context;
    const { subject, seq } = message;
    const type = subject.split('.').at(-3) ?? '';
    const { letter, headers } = invalidLetter(subject, seq, message.data);
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
