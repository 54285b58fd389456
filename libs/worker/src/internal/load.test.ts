import type { Signal } from '@tps/contracts';
import { Backoffs, loadOf } from './load';

const signal = (signal_type: string): { signal: Signal } => ({ signal: { signal_type } as Signal });

test('a signal released for a retry counts until its backoff is over, and one released without a retry never does', () => {
  const backoffs = new Backoffs();
  const nowMs = Date.now();
  backoffs.add({ ...signal('drill'), retryMs: 10_000 });
  backoffs.add({ ...signal('press'), retryMs: 30_000 });
  backoffs.add(signal('drill'));
  expect(backoffs.types(nowMs + 5_000)).toEqual(['drill', 'press']);
  expect(backoffs.types(nowMs + 20_000)).toEqual(['press']);
  expect(backoffs.types(nowMs + 40_000)).toEqual([]);
});

test('a handler that outlived its attempt runs, although its signal is no longer in flight', () => {
  const started = signal('drill') as never;
  expect(
    loadOf({
      running: [started],
      overruns: ['press'],
      started: [started],
      arrived: [
        { lane: 'drill_3', info: { storedAtMs: 700 } },
        { lane: 'drill_1', info: { storedAtMs: 400 } },
      ] as never,
      retrying: ['drill', 'drill'],
      lastStartMs: new Map([['press', 250]]),
      nowMs: 1_000,
    }),
  ).toEqual({
    running: { drill: 1, press: 1 },
    in_flight: { drill: 3 },
    retrying: { drill: 2 },
    oldest_waiting_ms: { drill: 600 },
    since_start_ms: { press: 750 },
  });
});
