import type { Sample } from './sample';
import { type Spread, spread } from './percentiles';

const FIGURES = ['throughput', 'p50', 'p95', 'p99', 'cpuMs', 'rssMiB', 'driverCpuMs'] as const;
export type Figure = (typeof FIGURES)[number];

/** One figure of one scenario, over all rounds. */
export interface Row {
  scenario: string;
  figure: Figure;
  floor: Spread;
  fleet: Spread;
  /** Fleet to floor, by round, because the machine drifts more between rounds than within one. */
  ratio: Spread;
}

/** CPU by process in milliseconds per signal, the median of the rounds. */
export interface Split {
  scenario: string;
  system: string;
  cpuMs: Record<string, number>;
}

export interface Summary {
  rows: Row[];
  splits: Split[];
  /** Reasons to doubt a figure. */
  warnings: string[];
}

export function summarise(samples: readonly Sample[]): Summary {
  const scenarios = [...new Set(samples.map(({ scenario }) => scenario))];
  const of = (scenario: string, system: string): Sample[] =>
    samples
      .filter((sample) => sample.scenario === scenario && sample.system === system)
      .sort((a, b) => a.round - b.round);
  return {
    rows: scenarios.flatMap((scenario) =>
      FIGURES.map((figure) => row(figure, of(scenario, 'floor'), of(scenario, 'fleet'))),
    ),
    splits: scenarios.flatMap((scenario) =>
      ['floor', 'fleet'].map((system) => ({ scenario, system, cpuMs: split(of(scenario, system)) })),
    ),
    warnings: samples.flatMap(warningsOf),
  };
}

function row(figure: Figure, floor: Sample[], fleet: Sample[]): Row {
  const pick = (sample: Sample): number => sample[figure];
  return {
    scenario: floor[0]?.scenario ?? '',
    figure,
    floor: spread(floor.map(pick)),
    fleet: spread(fleet.map(pick)),
    ratio: spread(fleet.map((sample, round) => pick(sample) / (floor[round] ? pick(floor[round]) : NaN))),
  };
}

export function split(rounds: Sample[]): Record<string, number> {
  const names = Object.keys(rounds[0]?.split ?? {});
  return Object.fromEntries(
    names.map((name) => [name, spread(rounds.map((sample) => sample.split[name] ?? NaN)).median]),
  );
}

export function warningsOf({ system, scenario, round, ok, notOk, late, unsent }: Sample): string[] {
  const where = `${system}, ${scenario}, round ${round}`;
  const refusals = Object.entries(notOk).map(([why, count]) => `${count} x ${why}`);
  return [
    ...(refusals.length > 0 ? [`${where}: not all succeeded: ${refusals.join(', ')}`] : []),
    // Below one in a hundred, no shown percentile can be affected.
    ...(late > ok / 100 ? [`${where}: ${late} were sent late: the machine was too busy for this rate`] : []),
    ...(unsent > 0 ? [`${where}: ${unsent} were never sent`] : []),
  ];
}
