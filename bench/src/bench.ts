import { existsSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BenchError } from './errors';
import { type Fleet, SLOTS, startFleet } from './fleet/start';
import { startFloor } from './floor/start';
import { measure, measureIdle, type Sample, warmUp } from './measure';
import { runProgram, withTeardown } from './program';
import { figure, report } from './report';
import { postRequest } from './request';
import { type BenchPlan, CONNECTIONS, FULL, QUICK } from './scenarios';
import { ENV_FILE } from './settings';
import { summarise } from './summary';
import type { System } from './system';
import type { Teardown } from './teardown';

const USAGE = `Usage: node bench/dist/bench.js [--rounds n] [--quick] [--json file]

Measures the fleet, all signals traced, beside the barest durable pipeline of the same kind ("the floor"), in turn
on this machine. Trust the ratios: absolute figures are the machine's, and it drifts.
`;

/** The processor scheduler and the kernel have quietened down after the last load. */
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
  const rounds = Number(values.rounds ?? base.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 20) {
    throw new BenchError(`--rounds ${values.rounds} is not allowed: must be a whole number from 1 to 20`);
  }
  // More rounds than the plan's were asked for: they may take their time.
  const limitMs = base.limitMs * Math.max(1, rounds / base.rounds);
  return { plan: { ...base, rounds, limitMs }, json: values.json };
}

interface Rounds {
  samples: Sample[];
  /** Signals that were only to warm up, by system. */
  warmUps: Record<string, number>;
}

/** Round by round, and within a round scenario by scenario: first the one, then the other. */
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
      say(`Stopped after round ${round}: another would pass the limit of ${plan.limitMs / 1_000} s.`);
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

  const machine = describeMachine(floor, busy);
  const { samples, warmUps } = await runRounds([floor, fleet], plan, startedMs);
  const measured = samples.filter(({ system }) => system === fleet.name);
  const signals = measured.reduce((sum, { ok }) => sum + ok, warmUps[fleet.name] ?? 0);
  const traced = await bytesPerSignal(fleet, signals);
  say('idle');
  await sleep(QUIET_MS);
  const idle = await measureIdle(fleet, plan.idleMs);
  const summary = summarise(samples);
  const rounds = Math.max(...samples.map(({ round }) => round));
  process.stdout.write(
    `\n${machine}\nno-op handler, ${SLOTS} slots, median [min-max] of ${rounds} rounds\n\n` +
      `${report(summary)}\n\n` +
      `Idle, fleet: ${figure(idle.total)} % of one core (${splitText(idle.split)})\n` +
      `Traces, fleet: ${traced}\n`,
  );
  if (json) {
    const all = { at: new Date(), machine, plan, summary, idle, samples };
    writeFileSync(json, `${JSON.stringify(all, null, 2)}\n`);
  }
}

/** Shows that there were traces at all. */
async function bytesPerSignal(fleet: Fleet, signals: number): Promise<string> {
  const bytes = await fleet.tracedBytes();
  return bytes === 0
    ? 'NONE: these figures are without tracing'
    : `about ${figure(bytes / signals / 1_000)} kB per signal`;
}

function describeMachine({ broker = '' }: System, busy: number): string {
  const cores = cpus();
  return [
    `${cores.length} x ${cores[0]?.model}, Node ${process.versions.node}, ${broker}, load ${figure(busy)} before`,
    ...(busy > cores.length / 2 ? ['! The machine was busy before: trust nothing but the ratios.'] : []),
    ...(existsSync(ENV_FILE)
      ? [`! There is a .env: what it sets beside ports, brokers and limits applies.`]
      : []),
  ].join('\n');
}

function splitText(split: Record<string, number>): string {
  return Object.entries(split)
    .sort(([, a], [, b]) => b - a)
    .map(([name, percent]) => `${name} ${figure(percent)}`)
    .join(', ');
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function main(): Promise<number> {
  const given = readArguments();
  if (!given) {
    process.stdout.write(USAGE);
    return 0;
  }
  return withTeardown((teardown) => run(given, teardown));
}

runProgram(main);
