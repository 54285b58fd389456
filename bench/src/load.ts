import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { CircuitState } from '@tps/contracts';
import { Connection } from './connection';
import { checkCriteria, type Colour, worst } from './criteria';
import { BenchError } from './errors';
import { HealthReader } from './fleet-health';
import type { Answer } from './http-answer';
import { type LoadProfile, PROFILES } from './load-profiles';
import { criteriaTable, summary } from './load-report';
import { OpenLoop } from './open-loop';
import { percentiles } from './percentiles';
import { print, runProgram, wholeNumber } from './program';
import { postRequest } from './request';
import { type LoadSettings, loadSettings } from './settings';

const USAGE = `Usage: node bench/dist/load.js load|spike|stress [--seconds n]

Sends signals at a fixed rate to the fleet that runs on this machine (HTTP_PORT, AUTH_TOKEN) and checks the result.
  load     100/s for 60 s
  spike   1000/s for 10 s
  stress   500/s for 30 s
Exit code: 0 green, 1 yellow (0 for spike), 2 red, 3 no fleet answers or wrong usage.
`;

const EXIT_NO_RESULT = 3;
const SIGNAL_TYPE = 'validate';
const LOOK_EVERY_MS = 1_000;
const DRAIN_LIMIT_MS = 60_000;
const DRAIN_LOOK_MS = 250;

function requestFor(index: number, token: string): Buffer {
  const payload = { data: [1, 2, 3], index };
  return postRequest('/signal', { signal_type: SIGNAL_TYPE, payload }, token);
}

function readArguments(): LoadProfile | null {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
  });
  const profile = PROFILES[positionals[0] ?? ''];
  if (values.help || !profile) return null;
  const { seconds } = profile;
  if (values.seconds === undefined) return profile;
  return { ...profile, seconds: wholeNumber('--seconds', values.seconds, [1, seconds]) };
}

/** @returns the depth of the queue before the load; the queue has drained when it is back there */
async function findFleet(settings: LoadSettings, health: HealthReader): Promise<number> {
  const { httpPort, token } = settings;
  const before = await health.read();
  if (!before) {
    throw new BenchError(
      `No fleet answers on http://127.0.0.1:${httpPort}: start it with \`make up\`, or set HTTP_PORT to its port.`,
    );
  }
  const connection = new Connection(httpPort);
  const answer = await new Promise<Answer | null>((resolve) =>
    connection.send(requestFor(0, token), resolve),
  );
  connection.close();
  if (answer?.status === 401 || answer?.status === 403) {
    throw new BenchError('The fleet requires a token: set AUTH_TOKEN to one that may send signals.');
  }
  return before.queueDepth;
}

/** Prints a line per second while signals are sent. @returns the state of the circuit at each second */
async function watch(
  loop: OpenLoop,
  health: HealthReader,
  seconds: number,
): Promise<(CircuitState | null)[]> {
  const states: (CircuitState | null)[] = [];
  let seen = 0;
  for (let second = 1; second <= seconds; second += 1) {
    await sleep(Math.max(0, loop.startMs + second * LOOK_EVERY_MS - performance.now()));
    const now = await health.read();
    const { counts, sent } = loop;
    const { p99 } = percentiles(counts.latencies.slice(seen));
    seen = counts.latencies.length;
    const { ok, open, refused, stopped, failed } = counts.kinds;
    states.push(now?.circuit ?? null);
    print(
      `${String(second).padStart(3)} s  sent ${sent}  ok ${ok + open}  refused 429: ${refused} 503: ${stopped}  ` +
        `errors ${failed}  p99 ${Number.isNaN(p99) ? '-' : p99.toFixed(0)} ms  ` +
        `queue ${now?.queueDepth ?? '?'}  circuit ${now?.circuit ?? '?'}`,
    );
  }
  return states;
}

/** @returns milliseconds until the queue is no deeper than before the load; null when that takes too long */
async function untilDrained(health: HealthReader, depthBefore: number): Promise<number | null> {
  const startMs = performance.now();
  for (;;) {
    const now = await health.read();
    const elapsedMs = performance.now() - startMs;
    if (now && now.queueDepth <= depthBefore) return elapsedMs;
    if (elapsedMs > DRAIN_LIMIT_MS) return null;
    await sleep(DRAIN_LOOK_MS);
  }
}

async function run(profile: LoadProfile): Promise<Colour> {
  const { title, rate, seconds } = profile;
  const settings = loadSettings();
  const health = new HealthReader(settings, SIGNAL_TYPE);
  const depthBefore = await findFleet(settings, health);

  print(`${title}: ${rate}/s for ${seconds} s to http://127.0.0.1:${settings.httpPort}`);
  const target = { port: settings.httpPort, request: (index: number) => requestFor(index, settings.token) };
  const loop = new OpenLoop(target, { rate, durationMs: seconds * 1_000 });
  const answered = loop.run();
  const circuit = await watch(loop, health, seconds);
  print(`all signals are sent; ${loop.outstanding} are outstanding`);
  // Wait for both at once, because the outstanding signals are those that drain.
  const [result, drainMs] = await Promise.all([answered, untilDrained(health, depthBefore)]);

  const { counts, sent, unsent } = result;
  const circuitRefusals = counts.refusals.get('503 CIRCUIT_OPEN') ?? 0;
  const p99Ms = percentiles(counts.latencies).p99;
  const criteria = checkCriteria({
    sent,
    unsent,
    kinds: counts.kinds,
    p99Ms,
    circuit,
    circuitRefusals,
    drainMs,
  });
  const colour = worst(criteria);
  print(summary(result, await health.p99()));
  print(criteriaTable(criteria, colour));
  return colour;
}

async function main(): Promise<number> {
  const profile = readArguments();
  if (profile) return profile.exitCodes[await run(profile)];
  process.stderr.write(USAGE);
  return EXIT_NO_RESULT;
}

runProgram(main, EXIT_NO_RESULT);
