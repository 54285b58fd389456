import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { closedLoop } from './closed-loop';
import { type CpuProfile, type Share, summariseProfile } from './cpu-profile';
import { BenchError } from './errors';
import { readParts } from './fleet/local-runtime';
import { Inspector } from './inspector';
import { print, runProgram, wholeNumber } from './program';
import { postRequest } from './request';
import { CONNECTIONS } from './scenarios';
import { loadSettings, runtimeHome } from './settings';

const USAGE = `Usage: node --experimental-websocket bench/dist/flame.js <service> [--seconds 10] [--load] [--pid n]

Takes a CPU profile of a running service of the local runtime: gateway, worker, kanban-1, ...
  --load  sends as many signals as the fleet can take meanwhile
  --pid   profiles this process; <service> is then only the name of the profile
`;
const WARM_UP_MS = 3_000;
const SHOWN = { functions: 20, modules: 8 };

interface Arguments {
  name: string;
  seconds: number;
  load: boolean;
  pid: number | undefined;
}

function readArguments(): Arguments | null {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '10' },
      load: { type: 'boolean', default: false },
      pid: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [name] = positionals;
  if (values.help || name === undefined) return null;
  const seconds = wholeNumber('--seconds', values.seconds, [1, 60]);
  return { name, seconds, load: values.load, pid: values.pid === undefined ? undefined : Number(values.pid) };
}

/** Finds a process by its name, or the first replica of a service. */
function findProcess(wanted: string): { name: string; pid: number } {
  const service = wanted === 'system' || wanted === 'tps-system' ? 'gateway' : wanted;
  const nodes = readParts(runtimeHome()).filter(
    ({ service }) => service !== 'nats' && service !== 'rabbitmq',
  );
  const found = nodes.find((part) => part.name === service || part.service === service);
  if (found?.pid === undefined) {
    throw new BenchError(`"${wanted}" does not run; these do: ${nodes.map(({ name }) => name).join(', ')}.`);
  }
  return { name: found.name, pid: found.pid };
}

function drive(durationMs: number): Promise<unknown> {
  const { httpPort, token } = loadSettings();
  const bytes = postRequest('/signal', { signal_type: 'validate', payload: { data: [1, 2, 3] } }, token);
  return closedLoop({ port: httpPort, request: () => bytes }, { connections: CONNECTIONS, durationMs });
}

async function record({ name, pid, seconds, load }: Arguments & { pid: number }): Promise<CpuProfile> {
  if (load) await drive(WARM_UP_MS);
  const inspector = await Inspector.open(pid);
  try {
    print(`${name} (process ${pid}): ${seconds} s`);
    return await inspector.cpuProfile(async () => {
      if (load) await drive(seconds * 1_000);
      else await sleep(seconds * 1_000);
    });
  } finally {
    await inspector.close();
  }
}

async function run(given: Arguments): Promise<void> {
  const { name, pid } =
    given.pid === undefined ? findProcess(given.name) : { name: given.name, pid: given.pid };
  const profile = await record({ ...given, name, pid });
  const folder = join(runtimeHome(), 'profiles');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.cpuprofile`);
  writeFileSync(file, JSON.stringify(profile));
  const { busyPercent, functions, modules } = summariseProfile(profile);
  print(`\nbusy ${busyPercent.toFixed(1)} % of the time; of that, by module (own time):`);
  list(modules.slice(0, SHOWN.modules));
  print('\nby function (own time):');
  list(functions.slice(0, SHOWN.functions));
  print(`\n${file} (opens in Chrome's DevTools, Performance, and in speedscope.app)`);
}

function list(shares: readonly Share[]): void {
  for (const { name, percent } of shares) print(`${percent.toFixed(1).padStart(6)} %  ${name}`);
}

async function main(): Promise<number> {
  const given = readArguments();
  if (!given) {
    process.stderr.write(USAGE);
    return 1;
  }
  await run(given);
  return 0;
}

runProgram(main);
