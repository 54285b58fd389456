import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Fleet, SLOTS, startFleet } from './fleet/start';
import { startFloor } from './floor/start';
import { describeMachine } from './machine';
import { measure, measureIdle, warmUp } from './measure';
import { print, runProgram, say, wholeNumber, withTeardown } from './program';
import { figure, report } from './report';
import { postRequest } from './request';
import type { Sample } from './sample';
import { type BenchPlan, CONNECTIONS, FULL, QUICK } from './scenarios';
import { summarise } from './summary';
import type { System } from './system';
import type { Teardown } from './teardown';

const USAGE = `Usage: node bench/dist/bench.js [--rounds n] [--quick] [--json file]

Measures the fleet, all signals traced, beside the barest durable pipeline of the same kind ("the floor"), in turn on
this machine. Trust the ratios: absolute figures depend on the machine and drift with it.
`;

/** Time for processes and kernel to finish the work of the last load. */
const QUIET_MS = 2_000;
const REQUEST = postRequest('/signal', { signal_type: 'noop', payload: { data: 1 } });

interface Arguments {
  plan: BenchPlan;
  json: string | undefined;
}

function readArguments(): Arguments | null {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  const base = values.quick ? QUICK : FULL;
  const rounds = values.rounds === undefined ? base.rounds : wholeNumber('--rounds', values.rounds, [1, 20]);
  // More rounds than planned get more time.
  const limitMs = base.limitMs * Math.max(1, rounds / base.rounds);
  return { plan: { ...base, rounds, limitMs }, json: values.json };
}

interface Rounds {
  samples: Sample[];
  /** Number of signals that only warmed the system up, by system. */
  warmUps: Record<string, number>;
}

/** Runs each scenario of a round on one system, then at once on the other, so that both meet the same machine. */
async function runRounds(systems: readonly System[], plan: BenchPlan, startedMs: number): Promise<Rounds> {
  const samples: Sample[] = [];
  const warmUps: Record<string, number> = {};
  for (let round = 1; round <= plan.rounds; round += 1) {
    const roundMs = performance.now();
    for (const scenario of plan.scenarios) {
      for (const system of systems) {
        say(`round ${round}/${plan.rounds}: ${scenario.name}: ${system.name}`);
        const warmUpMs = round === 1 ? plan.firstWarmUpMs : plan.warmUpMs;
        if (scenario.loop === 'closed') {
          const sent = await warmUp(system, warmUpMs, CONNECTIONS, REQUEST);
          warmUps[system.name] = (warmUps[system.name] ?? 0) + sent;
        }
        samples.push(await measure(system, scenario, round, REQUEST));
      }
    }
    const tookMs = performance.now() - roundMs;
    if (round < plan.rounds && performance.now() - startedMs + tookMs > plan.limitMs) {
      say(`Stopped after round ${round}: another round would exceed the limit of ${plan.limitMs / 1_000} s.`);
      break;
    }
  }
  return { samples, warmUps };
}

async function run({ plan, json }: Arguments, teardown: Teardown): Promise<void> {
  const startedMs = performance.now();
  const busy = loadavg()[0] ?? 0;
  say('starting the floor and the fleet ...');
  const floor = await startFloor(REQUEST, teardown);
  const fleet = await startFleet(REQUEST, teardown);

  const machine = describeMachine(floor.broker ?? '', busy);
  const { samples, warmUps } = await runRounds([floor, fleet], plan, startedMs);
  const measured = samples.filter(({ system }) => system === fleet.name);
  const signals = measured.reduce((sum, { ok }) => sum + ok, warmUps[fleet.name] ?? 0);
  const traced = await bytesPerSignal(fleet, signals);
  say('idle');
  await sleep(QUIET_MS);
  const idle = await measureIdle(fleet, plan.idleMs);
  const summary = summarise(samples);
  const rounds = Math.max(...samples.map(({ round }) => round));
  print(
    `\n${machine}\nno-op handler, ${SLOTS} slots, median [min-max] of ${rounds} rounds\n\n` +
      `${report(summary)}\n\n` +
      `Idle, fleet: ${figure(idle.total)} % of one core (${splitText(idle.split)})\n` +
      `Traces, fleet: ${traced}`,
  );
  if (json) {
    const all = { at: new Date(), machine, plan, summary, idle, samples };
    writeFileSync(json, `${JSON.stringify(all, null, 2)}\n`);
  }
}

/** Shows that the fleet did export traces. */
async function bytesPerSignal(fleet: Fleet, signals: number): Promise<string> {
  const bytes = await fleet.tracedBytes();
  return bytes === 0
    ? 'NONE: these figures do not include tracing'
    : `about ${figure(bytes / signals / 1_000)} kB per signal`;
}

function splitText(split: Record<string, number>): string {
  return Object.entries(split)
    .sort(([, a], [, b]) => b - a)
    .map(([name, percent]) => `${name} ${figure(percent)}`)
    .join(', ');
}

async function main(): Promise<number> {
  const given = readArguments();
  if (!given) {
    print(USAGE);
    return 0;
  }
  return withTeardown((teardown) => run(given, teardown));
}

runProgram(main);
