import { Type } from '@sinclair/typebox';
import { defineSignal, RejectedError, runWorker } from '@tps/worker';
import { Counter } from 'prom-client';

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

void runWorker([countWords]);
