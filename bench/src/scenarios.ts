export type Scenario = { name: string; durationMs: number } & (
  { loop: 'closed' | 'autocannon'; connections: number } | { loop: 'open'; rate: number }
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

/** Each peer starts anew in each round and then runs these. Six systems and two rounds take about seven minutes. */
export const PEERS = {
  rounds: 2,
  warmUpMs: 5_000,
  full: fullLoad(5_000),
  autocannon: {
    name: `autocannon, ${CONNECTIONS} connections`,
    loop: 'autocannon',
    connections: CONNECTIONS,
    durationMs: 4_000,
  },
  low: openLoop(200, 6_000),
  middle: openLoop(500, 5_000),
} as const satisfies Record<string, number | Scenario>;

function scenarios({ closedMs, openMs }: { closedMs: number; openMs: number }): Scenario[] {
  return [fullLoad(closedMs), openLoop(200, openMs), openLoop(500, openMs)];
}

function fullLoad(durationMs: number): Scenario {
  const name = `closed loop, ${CONNECTIONS} connections`;
  return { name, loop: 'closed', connections: CONNECTIONS, durationMs };
}

function openLoop(rate: number, durationMs: number): Scenario {
  return { name: `open loop, ${rate}/s`, loop: 'open', rate, durationMs };
}
