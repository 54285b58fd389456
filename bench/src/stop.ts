import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { waitFor } from '@tps/testkit';
import { type Fleet, startFleet } from './fleet/start';
import { OpenLoop, type OpenLoopResult } from './open-loop';
import { percentiles, spread } from './percentiles';
import { print, runProgram, say, wholeNumber, withTeardown } from './program';
import { postRequest } from './request';
import type { Teardown } from './teardown';

const USAGE = `Usage: node bench/dist/stop.js [--rounds n]

Starts a fleet of its own with two gateways and measures how a stopped line affects the others:
  the time from the failure that stops a type until both gateways refuse it, idle and under load;
  throughput and p99 of two types while a third always fails, beside the same load without failures.
`;

/** The type that fails. */
const FAILING = 'validate';
/** `noop` has a worker of its own; `execute` shares its worker, and so its slots, with the failing type. */
const OTHERS: Record<string, object> = { noop: { data: 1 }, execute: { task: 'demo' } };
const PER_SECOND = 100;
const PHASE_MS = 15_000;
const WARM_UP_MS = 8_000;
const THRESHOLD = 5;
/** Short, so that the cost of trials for the other types is measured, too. */
const FIRST_PAUSE_S = '2';
const STOPS = 15;
const BESIDE_PER_S = 200;
const CALM_LIMIT_MS = 60_000;
/** Delay between the loads of two types, because signals sent at the same moment would wait for each other. */
const APART_MS = 10;

const good = (type: string): Buffer =>
  postRequest('/signal', { signal_type: type, payload: OTHERS[type] ?? { data: 1 } });
/** A short time-out, so that callers do not wait for the stopped line. */
const bad = postRequest('/signal', {
  signal_type: FAILING,
  payload: { data: 1, chaos: { fail: 'transient' } },
  timeout_ms: 2_000,
});

interface Health {
  circuits: Record<string, { state: string; andon_id?: string }>;
}

/** A client of one gateway. */
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

  /** Milliseconds from now until the gateway refuses the failing type. */
  async untilRefused(): Promise<number> {
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

  /** Resumes the line until no failing signal is left in the queue. */
  async settle(): Promise<void> {
    await waitFor(
      'the line to run and the queue to be empty',
      async () => {
        const { circuits } = await this.get<Health>('/health');
        const { state, andon_id } = circuits[FAILING] ?? { state: 'Closed' };
        // The depth in /health is as old as the last heartbeat of kanban.
        if (state === 'Closed') return (await this.get<{ queue_depth: number }>('/kanban')).queue_depth === 0;
        const act = { owner: 'bench', countermeasure: 'the round has ended' };
        if (andon_id) await this.post(`/andon/${andon_id}/resume`, act);
        return false;
      },
      { limitMs: CALM_LIMIT_MS, everyMs: 100 },
    );
  }
}

/** Measures from sending the failure that stops the line until both gateways refuse the type. */
async function timeRefusals(clients: readonly [Client, ...Client[]]): Promise<number[]> {
  const took: number[] = [];
  const defect = { signal_type: FAILING, payload: { data: 1, chaos: { fail: 'defect' } } };
  for (let stop = 0; stop < STOPS; stop += 1) {
    await clients[0].settle();
    // A success resets the count of consecutive failures, which would open the circuit for a while before it is latched.
    await clients[0].post('/signal', { signal_type: FAILING, payload: { data: 1 } });
    for (let n = 1; n < THRESHOLD; n += 1) await clients[0].post('/signal', defect);
    const last = clients[0].post('/signal', defect);
    took.push(Math.max(...(await Promise.all(clients.map((client) => client.untilRefused())))));
    await last;
  }
  await clients[0].settle();
  return took;
}

async function timeRefusalsUnderLoad(
  port: number,
  clients: readonly [Client, ...Client[]],
): Promise<number[]> {
  const target = { port, request: () => good('noop') };
  let done = false;
  const load = (async () => {
    while (!done) await new OpenLoop(target, { rate: BESIDE_PER_S, durationMs: 2_000 }).run();
  })();
  try {
    return await timeRefusals(clients);
  } finally {
    done = true;
    await load;
  }
}

type Phase = Record<string, OpenLoopResult>;

/** Sends all three types at the same rate. */
async function runPhase(port: number, fails: boolean, durationMs = PHASE_MS): Promise<Phase> {
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
      phases.reduce((sum, each) => sum + each[type]!.counts.kinds.ok, 0);
    const p99 = (phases: readonly Phase[]): number =>
      percentiles(phases.flatMap((each) => each[type]!.counts.latencies)).p99;
    const byRound = spread(calm.map((each, i) => p99([failing[i]!]) / p99([each])));
    return (
      `${type}: throughput ${((100 * ok(failing)) / ok(calm)).toFixed(1)} % (${ok(failing)} of ${ok(calm)}), ` +
      `p99 ${p99(calm).toFixed(1)} -> ${p99(failing).toFixed(1)} ms = ${(p99(failing) / p99(calm)).toFixed(2)} x ` +
      `(by round ${byRound.median.toFixed(2)} [${byRound.min.toFixed(2)}-${byRound.max.toFixed(2)}])`
    );
  });
}

function describeFailing(failing: readonly Phase[]): string {
  const sum = (kind: 'ok' | 'open' | 'stopped' | 'failed'): number =>
    failing.reduce((all, each) => all + each[FAILING]!.counts.kinds[kind], 0);
  return `${FAILING}: ${sum('stopped')} refused, ${sum('failed')} failed, ${sum('open')} still open, ${sum('ok')} succeeded`;
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
  await runPhase(port, false, WARM_UP_MS);
  const calm: Phase[] = [];
  const failing: Phase[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    say(`round ${round}/${rounds}: first nothing fails, then ${FAILING} always fails`);
    calm.push(await runPhase(port, false));
    failing.push(await runPhase(port, true));
    await clients[0].settle();
  }
  say(`${STOPS} stops of an idle fleet, then ${STOPS} beside ${BESIDE_PER_S}/s`);
  const idle = await timeRefusals(clients);
  const loaded = await timeRefusalsUnderLoad(port, clients);
  const line = (name: string, values: readonly number[]): string => {
    const { p50, max } = percentiles(values);
    return `from the failure to the refusal at both gateways, ${name}: median ${p50.toFixed(0)} ms, max ${max.toFixed(0)} ms`;
  };
  const text = [
    ...compare(calm, failing),
    describeFailing(failing),
    line('idle', idle),
    line(`beside ${BESIDE_PER_S}/s`, loaded),
  ];
  print(`\n${text.join('\n')}`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    print(USAGE);
    return 0;
  }
  const rounds = wholeNumber('--rounds', values.rounds, [1, 10]);
  return withTeardown((teardown) => run(rounds, teardown));
}

runProgram(main);
