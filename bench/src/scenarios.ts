export type Scenario = { name: string; durationMs: number } & (
  { loop: 'closed'; connections: number } | { loop: 'open'; rate: number }
);

/** The length of each part of a bench. */
export interface BenchPlan {
  rounds: number;
  /** Warm-up in the first round, in which processes still compile their code: four seconds were too few. */
  firstWarmUpMs: number;
  /** Warm-up before the closed loop of later rounds. */
  warmUpMs: number;
  idleMs: number;
  scenarios: readonly Scenario[];
  /** A round that would end later than this is not started. */
  limitMs: number;
}

export const CONNECTIONS = 64;

export const FULL: BenchPlan = {
  rounds: 3,
  firstWarmUpMs: 6_000,
  warmUpMs: 1_000,
  idleMs: 10_000,
  scenarios: scenarios({ closedMs: 6_000, openMs: 10_000 }),
  limitMs: 225_000,
};

/** A quick bench shows that everything works; its figures are rough. */
export const QUICK: BenchPlan = {
  rounds: 1,
  firstWarmUpMs: 3_000,
  warmUpMs: 1_000,
  idleMs: 3_000,
  scenarios: scenarios({ closedMs: 3_000, openMs: 4_000 }),
  limitMs: 55_000,
};

function scenarios({ closedMs, openMs }: { closedMs: number; openMs: number }): Scenario[] {
  return [
    {
      name: `closed loop, ${CONNECTIONS} connections`,
      loop: 'closed',
      connections: CONNECTIONS,
      durationMs: closedMs,
    },
    { name: 'open loop, 200/s', loop: 'open', rate: 200, durationMs: openMs },
    { name: 'open loop, 500/s', loop: 'open', rate: 500, durationMs: openMs },
  ];
}
