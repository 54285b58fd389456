import type { Sample } from './sample';
import { summarise } from './summary';

const sample = (system: string, round: number, change: Partial<Sample> = {}): Sample => ({
  system,
  scenario: 'open loop, 200/s',
  round,
  throughput: 200,
  p50: 1,
  p95: 2,
  p99: 3,
  cpuMs: 1,
  split: { nats: 0.4, gateway: 0.6 },
  rssMiB: 100,
  ok: 2_000,
  notOk: {},
  late: 0,
  unsent: 0,
  driverCpuMs: 0.1,
  ...change,
});

describe('summarise', () => {
  test('ratios are computed within a round, so a machine at half speed does not change them', () => {
    const { rows } = summarise([
      sample('floor', 1, { cpuMs: 1 }),
      sample('fleet', 1, { cpuMs: 2 }),
      sample('floor', 2, { cpuMs: 2 }),
      sample('fleet', 2, { cpuMs: 4 }),
      sample('fleet', 3, { cpuMs: 9 }),
      sample('floor', 3, { cpuMs: 3 }),
    ]);
    const cpu = rows.find(({ figure }) => figure === 'cpuMs');
    expect(cpu?.floor).toEqual({ median: 2, min: 1, max: 3 });
    expect(cpu?.fleet).toEqual({ median: 4, min: 2, max: 9 });
    expect(cpu?.ratio).toEqual({ median: 2, min: 2, max: 3 });
  });

  test('the CPU split has the median of each process', () => {
    const { splits } = summarise([1, 5, 3].map((nats, i) => sample('floor', i + 1, { split: { nats } })));
    expect(splits).toContainEqual({ scenario: 'open loop, 200/s', system: 'floor', cpuMs: { nats: 3 } });
  });

  test('warns of failures, late signals and unsent signals', () => {
    const doubtful = { notOk: { '503 CIRCUIT_OPEN': 4 }, late: 21, unsent: 1 };
    expect(summarise([sample('floor', 1, { late: 20 }), sample('fleet', 1, doubtful)]).warnings).toEqual([
      'fleet, open loop, 200/s, round 1: not all succeeded: 4 x 503 CIRCUIT_OPEN',
      'fleet, open loop, 200/s, round 1: 21 were sent late: the machine was too busy for this rate',
      'fleet, open loop, 200/s, round 1: 1 were never sent',
    ]);
  });
});
