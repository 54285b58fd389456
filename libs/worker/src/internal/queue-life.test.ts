import type { Msg } from '@nats-io/transport-node';
import type { Bus, DeliveryInfo } from '@tps/bus';
import { waitFor } from '@tps/testkit';
import { type Answerable, type QueueFacts, QueueLife } from './queue-life';

let reconnect: () => void;
const bus = {
  onReconnect: (listener: () => void) => {
    reconnect = listener;
    return () => undefined;
  },
  sleepUntilReconnect: () => new Promise<void>((resolve) => void setImmediate(resolve)),
} as unknown as Bus;

describe('QueueLife', () => {
  let life: QueueLife;
  let sent: string[];
  let replies: ((facts: QueueFacts) => void)[];
  let known: boolean[];

  beforeEach(async () => {
    sent = [];
    replies = [];
    known = [];
    const ask = (): Promise<QueueFacts> => new Promise((reply) => replies.push(reply));
    life = new QueueLife(bus, ask);
    life.onKnown((lost) => known.push(lost));
    const begun = life.begin();
    replies.shift()!({ created: 'monday' });
    await begun;
  });
  afterEach(() => life.close());

  const delivery = (name: string): Answerable => ({
    msg: { respond: (answer: string) => sent.push(`${name} ${answer}`) } as unknown as Msg,
    info: {} as DeliveryInfo,
    life,
    lifeNo: life.no,
  });
  const reply = async (facts: QueueFacts): Promise<void> => {
    const answer = await waitFor('the question', () => replies.shift());
    answer(facts);
  };

  test('answers at once while nothing is in doubt', () => {
    life.answer(delivery('a'), 'ack');
    expect(sent).toEqual(['a ack']);
  });

  test('delays answers after a reconnect, and sends them if it is the same queue', async () => {
    const before = delivery('before');
    reconnect();
    life.answer(before, 'ack');
    life.renew(before, 'renewal' as unknown as Uint8Array);
    life.answer(delivery('after'), 'ack');
    expect(sent).toEqual(['before renewal', 'after ack']);
    await reply({ created: 'monday' });
    await waitFor('the answer', () => known.length === 1);
    expect(sent).toEqual(['before renewal', 'after ack', 'before ack']);
    expect(known).toEqual([false]);
  });

  test('drops the answers to deliveries of a queue that was lost', async () => {
    const before = [delivery('a'), delivery('b')] as const;
    reconnect();
    life.answer(before[0], 'ack');
    await reply({ created: 'tuesday' });
    await waitFor('the answer', () => known.length === 1);
    life.answer(before[1], 'nak');
    life.renew(before[1], 'renewal' as unknown as Uint8Array);
    life.answer(delivery('c'), 'ack');
    expect(sent).toEqual(['c ack']);
    expect(known).toEqual([true]);
  });

  test('without kanban there is no other queue, and kanban is asked about the lanes until it is there', async () => {
    const before = delivery('before');
    life.doubt();
    life.answer(before, 'ack');
    await reply('silence');
    expect(sent).toEqual([]);
    await reply('nobody');
    await waitFor('the answer', () => sent.length === 1);
    await reply({ created: 'monday' });
    await waitFor('the lanes', () => known.length === 1);
  });

  test('a doubt during a request needs another answer', async () => {
    const before = delivery('before');
    life.doubt();
    life.doubt();
    life.answer(before, 'ack');
    const first = await waitFor('the question', () => replies.shift());
    life.doubt();
    first({ created: 'monday' });
    await reply({ created: 'tuesday' });
    await waitFor('the answer', () => known.length === 1);
    expect(sent).toEqual([]);
  });
});
