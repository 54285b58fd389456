import { Type } from '@sinclair/typebox';
import { defineSignal, RejectedError, runWorker } from '@tps/worker';
import { Counter } from 'prom-client';
import { inThread } from './in-thread';

let counted: Counter | undefined;

const countWords = defineSignal({
  name: 'count-words',
  input: Type.Object({ text: Type.String() }),
  output: Type.Object({ words: Type.Integer() }),
  timeoutMs: 5_000,
  standardMs: 10,
  retry: { max_attempts: 5 },
  run({ text }, { metrics }) {
    const words = text.split(/\s+/).filter(Boolean).length;
    if (words === 0) throw new RejectedError('there are no words in the text');
    counted ??= new Counter({ name: 'tps_words_counted_total', help: 'Words so far', registers: [metrics] });
    counted.inc(words);
    return { words };
  },
});

/** It would block the event loop for seconds, so it runs in a thread. */
const countPrimes = defineSignal({
  name: 'count-primes',
  input: Type.Object({ below: Type.Integer({ minimum: 2, maximum: 10_000_000 }) }),
  output: Type.Object({ primes: Type.Integer() }),
  timeoutMs: 30_000,
  async run({ below }, { abort }) {
    return { primes: await inThread<number>(require.resolve('./primes-thread'), below, abort) };
  },
});

void runWorker([countWords, countPrimes]);
