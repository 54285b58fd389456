import { existsSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BenchError } from './errors';
import { describeMachine } from './machine';
import { measure, warmUp } from './measure';
import { type Contestant, CONTESTANTS } from './peers/contestants';
import { driverCosts, tables } from './peers/tables';
import { print, runProgram, say, wholeNumber, withTeardown } from './program';
import { splitLine } from './report';
import { postRequest } from './request';
import type { Sample } from './sample';
import { CONNECTIONS, PEERS } from './scenarios';
import { PEERS_FOLDER } from './settings';
import { split, warningsOf } from './summary';
import { Teardown } from './teardown';

const USAGE = `Usage: node bench/dist/peers.js [--rounds n] [--json file]

Measures the fleet, all signals traced, beside other systems that do the same job, in turn on this machine. Prints
Markdown. A system without its broker on this machine is left out.
`;

/** Time for the kernel to finish the work of the last system. */
const QUIET_MS = 1_000;
const REQUEST = postRequest('/signal', { signal_type: 'noop', payload: { data: 1 } });

interface Comparison {
  samples: Sample[];
  brokers: Set<string>;
  /** Reasons to doubt a figure, and systems that were left out. */
  notes: string[];
}

/** Starts one system anew, measures it and stops it. */
async function runOne(
  { title, start }: Contestant,
  round: number,
  { samples, brokers }: Comparison,
  teardown: Teardown,
): Promise<void> {
  const own = new Teardown();
  // Also after an interrupt.
  teardown.add(() => own.run());
  try {
    const system = await start(REQUEST, own);
    if (system.broker) brokers.add(system.broker);
    await warmUp(system, PEERS.warmUpMs, CONNECTIONS, REQUEST);
    for (const scenario of [PEERS.full, PEERS.autocannon, PEERS.low, PEERS.middle]) {
      samples.push({ ...(await measure(system, scenario, round, REQUEST)), system: title });
    }
  } finally {
    await own.run();
  }
  await sleep(QUIET_MS);
}

/** Runs all systems one after another, again in each round. A system that fails is left out of the later rounds. */
async function runRounds(rounds: number, teardown: Teardown): Promise<Comparison> {
  const comparison: Comparison = { samples: [], brokers: new Set(), notes: [] };
  let contestants = CONTESTANTS;
  for (let round = 1; round <= rounds; round += 1) {
    for (const contestant of contestants) {
      say(`round ${round}/${rounds}: ${contestant.title}`);
      try {
        await runOne(contestant, round, comparison, teardown);
      } catch (error) {
        const note = `${contestant.title} is left out from round ${round}: ${(error as Error).message}`;
        say(note);
        comparison.notes.push(note);
        contestants = contestants.filter((one) => one !== contestant);
      }
    }
  }
  comparison.notes.push(...comparison.samples.flatMap(warningsOf));
  return comparison;
}

async function run(rounds: number, json: string | undefined, teardown: Teardown): Promise<void> {
  const busy = loadavg()[0] ?? 0;
  const { samples, brokers, notes } = await runRounds(rounds, teardown);
  const machine = describeMachine([...brokers].join(', '), busy);
  const measured = CONTESTANTS.filter(({ title }) => samples.some(({ system }) => system === title));
  const titles = measured.map(({ title }) => title);
  const durable = new Set(measured.filter((one) => one.durable).map(({ title }) => title));
  const notesText = notes.map((note) => `- ! ${note}`).join('\n');
  print(
    [
      `${new Date().toISOString()}: ${machine}\nno-op handler, median [min-max] of ${rounds} rounds`,
      tables(titles, durable, samples),
      driverCosts(samples),
      splits(titles, samples),
      ...(notesText ? [notesText] : []),
    ].join('\n\n'),
  );
  if (json) writeFileSync(json, `${JSON.stringify({ at: new Date(), machine, samples, notes }, null, 2)}\n`);
}

function splits(titles: readonly string[], samples: readonly Sample[]): string {
  return [PEERS.low, PEERS.full]
    .flatMap(({ name }) =>
      titles.map((system) => {
        const own = samples.filter((sample) => sample.system === system && sample.scenario === name);
        return `- ${name}, ${splitLine({ system, cpuMs: split(own) })}`;
      }),
    )
    .join('\n');
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: String(PEERS.rounds) },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    print(USAGE);
    return 0;
  }
  if (!existsSync(join(PEERS_FOLDER, 'node_modules'))) {
    throw new BenchError(
      'The peers are not installed: `make bench-peers` installs them, with pnpm in bench/peers.',
    );
  }
  const rounds = wholeNumber('--rounds', values.rounds, [1, 20]);
  return withTeardown((teardown) => run(rounds, values.json, teardown));
}

runProgram(main);
