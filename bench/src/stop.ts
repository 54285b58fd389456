import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { waitFor } from '@tps/testkit';
import { BenchError } from './errors';
import { type Fleet, startFleet } from './fleet/start';
import { OpenLoop, type OpenLoopResult } from './open-loop';
import { percentiles, spread } from './percentiles';
import { runProgram, withTeardown } from './program';
import { postRequest } from './request';
import type { Teardown } from './teardown';

const USAGE = `Usage: node bench/dist/stop.js [--rounds n]

Starts a fleet of its own with two gateways and measures what a line that stops means for the others:
  from the failure that stops a type to its refusal at both gateways, idle and under load;
  throughput and p99 of two types while the third always fails, beside the same load with nothing failing.
`;

/** The type that fails. */
const FAILING = 'validate';
/** `noop` has a worker of its own; `execute` shares its worker, and so its slots, with the type that fails. */
const OTHERS: Record<string, object> = { noop: { data: 1 }, execute: { task: 'demo' } };
const PER_SECOND = 100;
const PHASE_MS = 15_000;
const WARM_UP_MS = 8_000;
const THRESHOLD = 5;
/** Trials come often: what they cost the others is measured, too. */
const FIRST_PAUSE_S = '2';
const STOPS = 15;
const BESIDE_PER_S = 200;
const CALM_LIMIT_MS = 60_000;
/** Not at once: three signals at the same moment would wait for each other. */
const APART_MS = 10;

const good = (type: string): Buffer =>
  postRequest('/signal', { signal_type: type, payload: OTHERS[type] ?? { data: 1 } });
/** Its callers do not wait for a line that stands still. */
const bad = postRequest('/signal', {
  signal_type: FAILING,
  payload: { data: 1, chaos: { fail: 'transient' } },
  timeout_ms: 2_000,
});

interface Health {
  circuits: Record<string, { state: string; andon_id?: string }>;
}

/** Asks one of the gateways. */
class Client {
  constructor(private readonly port: number) {}

  async post(
    path: string,
    body: object,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; code?: string }> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: response.status, ...((await response.json()) as { code?: string }) };
  }

  async get<T>(path: string): Promise<T> {
    return (await fetch(`http://127.0.0.1:${this.port}${path}`)).json() as Promise<T>;
  }

  /** Milliseconds from now until it refuses the type. */
  async refusal(): Promise<number> {
    const startMs = performance.now();
    const signal = { signal_type: FAILING, payload: { data: 1 } };
    return waitFor(
      'the refusal',
      async () => {
        const { code } = await this.post('/signal', signal, { prefer: 'respond-async' });
        return code === 'LINE_STOPPED' ? performance.now() - startMs : null;
      },
      { everyMs: 4 },
    );
  }

  /** Resumes the line until nothing of it is left that fails. */
  async calm(): Promise<void> {
    await waitFor(
      'the line to run and the queue to be empty',
      async () => {
        const { circuits } = await this.get<Health>('/health');
        const { state, andon_id } = circuits[FAILING] ?? { state: 'Closed' };
        // Not the depth of /health, which is as old as kanban's last beat.
        if (state === 'Closed') return (await this.get<{ queue_depth: number }>('/kanban')).queue_depth === 0;
        const act = { owner: 'bench', countermeasure: 'the round is over' };
        if (andon_id) await this.post(`/andon/${andon_id}/resume`, act);
        return false;
      },
      { limitMs: CALM_LIMIT_MS, everyMs: 100 },
    );
  }
}

/** From sending the failure that is one too many until both gateways refuse: its own way is in it. */
async function refusals(clients: readonly [Client, ...Client[]]): Promise<number[]> {
  const took: number[] = [];
  const defect = { signal_type: FAILING, payload: { data: 1, chaos: { fail: 'defect' } } };
  for (let stop = 0; stop < STOPS; stop += 1) {
    await clients[0].calm();
    // What failed just before would count: five in a row open the circuit for a while, and nothing is latched.
    await clients[0].post('/signal', { signal_type: FAILING, payload: { data: 1 } });
    for (let n = 1; n < THRESHOLD; n += 1) await clients[0].post('/signal', defect);
    const last = clients[0].post('/signal', defect);
    took.push(Math.max(...(await Promise.all(clients.map((client) => client.refusal())))));
    await last;
  }
  await clients[0].calm();
  return took;
}

async function refusalsUnderLoad(port: number, clients: readonly [Client, ...Client[]]): Promise<number[]> {
  const target = { port, request: () => good('noop') };
  let over = false;
  const load = (async () => {
    while (!over) await new OpenLoop(target, { rate: BESIDE_PER_S, durationMs: 2_000 }).run();
  })();
  try {
    return await refusals(clients);
  } finally {
    over = true;
    await load;
  }
}

type Phase = Record<string, OpenLoopResult>;

/** All three types at the same rate, each signal at its time. */
async function phase(port: number, fails: boolean, durationMs = PHASE_MS): Promise<Phase> {
  const types = [...Object.keys(OTHERS), FAILING];
  const results = await Promise.all(
    types.map(async (type, i) => {
      await sleep(i * APART_MS);
      const request = fails && type === FAILING ? bad : good(type);
      const options = { rate: PER_SECOND / types.length, durationMs };
      return [type, await new OpenLoop({ port, request: () => request }, options).run()] as const;
    }),
  );
  return Object.fromEntries(results);
}

function compare(calm: readonly Phase[], failing: readonly Phase[]): string[] {
  return Object.keys(OTHERS).map((type) => {
    const ok = (phases: readonly Phase[]): number =>
      phases.reduce((sum, each) => sum + each[type]!.tally.kinds.ok, 0);
    const p99 = (phases: readonly Phase[]): number =>
      percentiles(phases.flatMap((each) => each[type]!.tally.latencies)).p99;
    const byRound = spread(calm.map((each, i) => p99([failing[i]!]) / p99([each])));
    return (
      `${type}: throughput ${((100 * ok(failing)) / ok(calm)).toFixed(1)} % (${ok(failing)} of ${ok(calm)}), ` +
      `p99 ${p99(calm).toFixed(1)} -> ${p99(failing).toFixed(1)} ms = ${(p99(failing) / p99(calm)).toFixed(2)} x ` +
      `(by round ${byRound.median.toFixed(2)} [${byRound.min.toFixed(2)}-${byRound.max.toFixed(2)}])`
    );
  });
}

function described(failing: readonly Phase[]): string {
  const kinds = failing.map((each) => each[FAILING]!.tally);
  const sum = (kind: 'ok' | 'open' | 'stopped' | 'failed'): number =>
    kinds.reduce((all, tally) => all + tally.kinds[kind], 0);
  return `${FAILING}: ${sum('stopped')} refused, ${sum('failed')} failed, ${sum('open')} held, ${sum('ok')} succeeded`;
}

async function run(rounds: number, teardown: Teardown): Promise<void> {
  say('starting a fleet with two gateways ...');
  const fleet: Fleet = await startFleet(good('noop'), teardown, {
    TPS_CHAOS: '1',
    TPS_REPLICAS_GATEWAY: '2',
    TPS_CB_THRESHOLD: String(THRESHOLD),
    TPS_CB_TIMEOUT: FIRST_PAUSE_S,
  });
  const { port } = fleet;
  const clients = [new Client(port), new Client(port + 1)] as const;
  say('warming up');
  await phase(port, false, WARM_UP_MS);
  const calm: Phase[] = [];
  const failing: Phase[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    say(`round ${round}/${rounds}: nothing fails, then ${FAILING} always does`);
    calm.push(await phase(port, false));
    failing.push(await phase(port, true));
    await clients[0].calm();
  }
  say(`${STOPS} stops, idle, then beside ${BESIDE_PER_S}/s`);
  const idle = await refusals(clients);
  const loaded = await refusalsUnderLoad(port, clients);
  const line = (name: string, values: readonly number[]): string => {
    const { p50, max } = percentiles(values);
    return `from the failure to refusal at both gateways, ${name}: median ${p50.toFixed(0)} ms, max ${max.toFixed(0)} ms`;
  };
  const text = [
    ...compare(calm, failing),
    described(failing),
    line('idle', idle),
    line(`beside ${BESIDE_PER_S}/s`, loaded),
  ];
  process.stdout.write(`\n${text.join('\n')}\n`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 10) {
    throw new BenchError(`--rounds ${values.rounds} is not allowed: must be a whole number from 1 to 10`);
  }
  return withTeardown((teardown) => run(rounds, teardown));
}

runProgram(main);
