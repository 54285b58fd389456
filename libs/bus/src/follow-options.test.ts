import { DeliverPolicy } from '@nats-io/jetstream';
import { consumerFor, type FollowOptions } from './follow-options';

const START = { position: 0, isFirst: true, idleMs: 30_000 };
const consumer = (options: Partial<FollowOptions>, start: Partial<typeof START> = {}) =>
  consumerFor(
    { stream: 'S', onMessage: () => undefined, onError: () => undefined, ...options },
    { ...START, ...start },
  );

test.each<[what: string, options: Partial<FollowOptions>, start: Partial<typeof START>, expected: object]>([
  ['a first start reads everything', {}, {}, { deliver_policy: DeliverPolicy.All }],
  [
    'a later one continues',
    {},
    { position: 7 },
    { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: 8 },
  ],
  ['a first start from a sequence', { fromSeq: 5 }, {}, { opt_start_seq: 5 }],
  ['from a sequence, continued', { fromSeq: 5 }, { position: 9 }, { opt_start_seq: 10 }],
  ['a sequence of 0 means the first', { fromSeq: 0 }, {}, { opt_start_seq: 1 }],
  // Another log replaced the one that the sequence was of.
  [
    'a replaced log from its beginning',
    { fromSeq: 5 },
    { isFirst: false },
    { deliver_policy: DeliverPolicy.All },
  ],
  [
    'the last message of each subject, again each time',
    { latestOf: '$KV.b.>' },
    { position: 9, isFirst: false },
    { deliver_policy: DeliverPolicy.LastPerSubject, filter_subject: '$KV.b.>' },
  ],
])('%s', (_, options, start, expected) => {
  const config = consumer(options, start);
  expect(config).toMatchObject({ inactive_threshold: 30_000 * 1e6, mem_storage: true, num_replicas: 1 });
  expect(config).toMatchObject(expected);
});

test('the last milliseconds are counted from now, and a position comes before them', () => {
  const { deliver_policy, opt_start_time } = consumer({ sinceMs: 60_000 });
  expect(deliver_policy).toBe(DeliverPolicy.StartTime);
  const agoMs = Date.now() - Date.parse(opt_start_time!);
  expect(agoMs).toBeGreaterThanOrEqual(60_000);
  expect(agoMs).toBeLessThan(65_000);
  expect(consumer({ sinceMs: 60_000 }, { position: 3 })).toMatchObject({ opt_start_seq: 4 });
});
