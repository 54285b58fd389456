import type { CircuitRecord, Outcome } from '@tps/contracts';
import { sampleOutcome } from '@tps/testkit';
import { after, at, bad, closed, decided, open, T0, trying } from './circuit.fixture';
import { resumedCircuit } from './circuit-transitions';
import { type DefectRecords, EqualDefects } from './equal-defects';
import { LineMonitor } from './line-monitor';

const defect = (signal_id: string, fingerprint = 'f'): Outcome =>
  sampleOutcome({ signal_id, fingerprint, status: 'failed', error_class: 'defect', message: 'x.y' });
const two: DefectRecords = [
  { fingerprint: 'f', signals: ['a', 'b'].map((id) => ({ id, at: at(0).toISOString() })) },
];

describe('the count of equal defects', () => {
  test('continues from the record, counts each signal once, and forgets after five minutes', () => {
    const continued = new EqualDefects(two);
    expect(continued.at(T0)).toEqual(two);
    expect(continued.add(defect('b'), T0 + 1_000)).toEqual({ fingerprint: 'f', signals: 2 });
    expect(continued.add(defect('c'), T0 + 2_000)).toEqual({ fingerprint: 'f', signals: 3 });
    expect(continued.at(T0 + 300_000)).toEqual([
      {
        fingerprint: 'f',
        signals: [
          { id: 'b', at: at(1_000).toISOString() },
          { id: 'c', at: at(2_000).toISOString() },
        ],
      },
    ]);
    expect(continued.at(T0 + 302_000)).toEqual([]);
  });

  test('records at most 250 signals, those of the latest fingerprints', () => {
    const counts = new EqualDefects();
    for (let n = 0; n < 300; n += 1) counts.add(defect(`s${n}`, `f${n % 100}`), T0);
    const records = counts.at(T0);
    expect(records.flatMap(({ signals }) => signals)).toHaveLength(249);
    expect([records[0]?.fingerprint, records.at(-1)?.fingerprint]).toEqual(['f17', 'f99']);
  });

  test('latches a line whose monitor began behind them', () => {
    const monitor = new LineMonitor({ threshold: 3, errorPercent: 50, slowMs: 0 }, two);
    expect(monitor.take(defect('a'), T0 + 500)).toBeNull();
    expect(monitor.take(defect('c'), T0 + 1_000)?.latch).toEqual({ fingerprint: 'f', signals: 3 });
    monitor.close();
  });
});

describe('the record of a circuit', () => {
  const stopped = after(closed, bad, { decision: decided, defects: two })!;

  test('holds the equal defects through a stop, a failed trial and a trial that succeeds', () => {
    expect(stopped.defects).toEqual(two);
    const tried: CircuitRecord = { ...trying, defects: two };
    const three = [...two, { fingerprint: 'g', signals: [{ id: 'c', at: at(1).toISOString() }] }];
    expect(after(tried, { ...bad, epoch: 2 }, { seq: 11, defects: three })).toMatchObject({
      state: 'open',
      defects: three,
    });
    expect(after(tried, { epoch: 2 }, { seq: 11, defects: two })).toMatchObject({
      state: 'closed',
      defects: two,
    });
  });

  test('drops them when they are too old, latch the line, or a person resumes it', () => {
    expect(after({ ...trying, defects: two }, { epoch: 2 }, { seq: 11 })).not.toHaveProperty('defects');
    const latch = { fingerprint: 'f', signals: 3 };
    const latched = after(stopped, bad, { seq: 11, decision: { ...decided, latch }, defects: two })!;
    expect(latched).toMatchObject({ latch });
    expect(latched).not.toHaveProperty('defects');
    const resumed = resumedCircuit(stopped, { reason: 'mended', position: 12, now: at(1) });
    expect(resumed).not.toHaveProperty('defects');
  });

  test('keeps them while the position in the log stays', () => {
    const some = { ...stopped, unfinished: ['a', 'b'] };
    const left = after(some, { signal_id: 'b', status: 'cancelled', final: true }, { seq: 11 })!;
    expect(left).toMatchObject({ unfinished: ['a'], log_seq: stopped.log_seq, defects: two });
    expect(after(open, { ...bad, epoch: 0 }, { seq: 11, defects: two })).toBeNull();
  });
});
