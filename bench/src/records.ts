import { parseArgs } from 'node:util';
import { HttpReceiver, waitFor } from '@tps/testkit';
import { closedLoop, type DriveResult } from './closed-loop';
import { BenchError } from './errors';
import { startFleet } from './fleet/start';
import { percentiles } from './percentiles';
import { print, runProgram, say, wholeNumber, withTeardown } from './program';
import { KeyedSignals } from './records/keyed-signals';
import { MeasuredFleet } from './records/measured-fleet';
import { fillLog } from './records/outcome-filler';
import { Promises } from './records/promises';
import { getRequest, postRequest } from './request';
import { CONNECTIONS } from './scenarios';
import type { Teardown } from './teardown';

const USAGE = `Usage: node bench/dist/records.js [--count n] [--log n]

Starts a fleet of its own and checks what it promises about the records of finished signals:
  --count  signals that the fleet runs, the first thousand with a key (default 1000000)
  --log    outcomes that are appended to the log besides, before each service is killed (default 0: none)
The exit code is 1 if a promise is broken.
`;

const KEYS = 1_000;
const LOOKUPS = 10_000;
const LOOKUP_CONNECTIONS = 4;
const LOOKUP_P99_MS = 20;
const ANDON_MIB = 200;
const READY_S = 10;
/** An outcome takes 584 bytes. The rest is room for results. */
const OUTCOME_BYTES = 1_000;
const LIMIT_MS = 3_600_000;
const SETTLE_LIMIT_MS = 600_000;

const noop = postRequest('/signal', { signal_type: 'noop', payload: { data: 1 } });

interface Plan {
  count: number;
  log: number;
}

/** One run on one fleet. */
class RecordsBenchmark {
  readonly promises = new Promises();
  /** The total that the fleet must report. */
  private processed = 0;
  /** Signals whose records are looked up. */
  private readonly ids: string[] = [];

  constructor(
    private readonly measured: MeasuredFleet,
    private readonly keyed: KeyedSignals,
    private readonly effects: () => number,
  ) {}

  async run({ count, log }: Plan): Promise<void> {
    this.processed = await this.measured.total();
    const first = await this.keyed.send();
    this.ids.push(...first.map(({ id }) => id));
    this.processed += KEYS;
    this.promises.exactly('effects of the keys', this.effects(), KEYS);
    await this.load(count - KEYS);
    const again = await this.keyed.send();
    const same = again.filter(({ outcome }, i) => outcome === first[i]!.outcome).length;
    this.promises.exactly('keys sent again: the same outcome', same, KEYS);
    const replayed = again.filter((answer) => answer.replayed).length;
    this.promises.exactly('keys sent again: Idempotency-Replayed', replayed, KEYS);
    this.promises.exactly('effects after that', this.effects(), KEYS);
    await this.lookUp();
    await this.disk(count);
    await this.killBoth();
    if (log > 0) await this.killEach(log);
    await this.rebuildIndex();
  }

  private async load(count: number): Promise<void> {
    say(`${count} signals`);
    const every = Math.max(1, Math.floor(count / (LOOKUPS - KEYS)));
    const { counts, elapsedMs } = await closedLoop(
      {
        port: this.measured.fleet.port,
        request: () => noop,
        onAnswer: (answer, index) => {
          const id = index % every === 0 && /"signal_id": ?"([^"]+)"/.exec(answer?.body ?? '')?.[1];
          if (id) this.ids.push(id);
        },
      },
      { connections: CONNECTIONS, durationMs: LIMIT_MS, requests: count },
    );
    this.processed += count;
    this.promises.exactly('signals that succeeded', counts.kinds.ok, count);
    this.promises.note('signals a second', (count / (elapsedMs / 1_000)).toFixed(0));
    await this.expectTotal('total');
  }

  private async lookUp(): Promise<void> {
    say(`${this.ids.length} look-ups`);
    const requests = this.ids.map((id) => getRequest(`/signal/${id}`));
    const { counts }: DriveResult = await closedLoop(
      { port: this.measured.fleet.port, request: (index) => requests[index]! },
      { connections: LOOKUP_CONNECTIONS, durationMs: LIMIT_MS, requests: requests.length },
    );
    const { p50, p99 } = percentiles(counts.latencies);
    this.promises.exactly('records found', counts.kinds.ok, requests.length);
    this.promises.note(`look-up p50, ${LOOKUP_CONNECTIONS} connections`, `${p50.toFixed(1)} ms`);
    this.promises.below(`look-up p99, ${LOOKUP_CONNECTIONS} connections`, p99, LOOKUP_P99_MS, 'ms');
    this.promises.below('memory of andon, peak', this.measured.peakMiB('andon'), ANDON_MIB, 'MiB');
  }

  private async disk(count: number): Promise<void> {
    const { messages, bytes } = await this.measured.log();
    const perMillion = (all: number): string => `${(all / count).toFixed(0)} MB`;
    this.promises.note('outcomes in a message of the log', (count / messages).toFixed(1));
    const disk = await this.measured.disk();
    this.promises.note('bytes of the log, per million signals', perMillion(bytes));
    this.promises.note('the log on disk, per million signals', perMillion(disk.log));
    this.promises.note('the index on disk, per million signals', perMillion(disk.index));
  }

  private async killBoth(): Promise<void> {
    say('kill -9 of andon and kaizen');
    const [andon, kaizen] = await this.measured.killAndWait({
      andon: () => this.measured.hasRecord(this.ids[0]!),
      kaizen: () => this.isTotalRight(),
    });
    this.promises.below('andon and kaizen killed: andon is right again', andon! / 1_000, READY_S, 's');
    this.promises.below('andon and kaizen killed: kaizen is right again', kaizen! / 1_000, READY_S, 's');
  }

  /** Kills each reader of a long log in turn. */
  private async killEach(count: number): Promise<void> {
    say(`${count} outcomes are appended to the log`);
    const [first, last] = await fillLog(this.measured.fleet.natsUrl, count);
    this.processed += count;
    this.promises.note('outcomes appended to the log', String(count));
    await this.expectTotal('total after that');
    await waitFor('the last record', () => this.measured.hasRecord(last), { limitMs: SETTLE_LIMIT_MS });
    const hasBoth = async (): Promise<boolean> =>
      (await this.measured.hasRecord(first)) && (await this.measured.hasRecord(last));
    const checks = {
      kaizen: () => this.isTotalRight(),
      andon: hasBoth,
      jidoka: async () => true,
      heijunka: async () => true,
    };
    for (const [service, check] of Object.entries(checks)) {
      say(`kill -9 of ${service}`);
      const [ms] = await this.measured.killAndWait({ [service]: check });
      this.promises.below(`${service} killed: right again`, ms! / 1_000, READY_S, 's');
    }
  }

  private async rebuildIndex(): Promise<void> {
    say('andon loses its index');
    await this.measured.loseIndex();
    const [ms] = await this.measured.killAndWait({ andon: () => this.measured.hasRecord(this.ids[0]!) });
    this.promises.note('the index was lost: andon has read the whole log', `${(ms! / 1_000).toFixed(1)} s`);
    this.promises.note(
      'memory of andon after that, peak',
      `${this.measured.peakMiB('andon').toFixed(1)} MiB`,
    );
  }

  private async expectTotal(what: string): Promise<void> {
    await waitFor('the total', () => this.isTotalRight(), { limitMs: SETTLE_LIMIT_MS, everyMs: 500 }).catch(
      (error: unknown) => say(String(error)),
    );
    this.promises.exactly(what, await this.measured.total(), this.processed);
  }

  private async isTotalRight(): Promise<boolean> {
    const total = await this.measured.total();
    if (total === this.processed) return true;
    throw new BenchError(`${total} instead of ${this.processed}`);
  }
}

async function run(plan: Plan, teardown: Teardown): Promise<number> {
  const sink = await HttpReceiver.start();
  teardown.add(() => sink.stop());
  say('starting a fleet ...');
  const fleet = await startFleet(noop, teardown, {
    TPS_HTTP_ALLOWLIST: `127.0.0.1:${sink.port}`,
    TPS_OUTCOMES_MAX_BYTES: String(Math.max(2 ** 31, (plan.count + plan.log) * OUTCOME_BYTES)),
  });
  const measured = new MeasuredFleet(fleet);
  const keyed = new KeyedSignals(measured.api, `http://127.0.0.1:${sink.port}/`, KEYS);
  const benchmark = new RecordsBenchmark(measured, keyed, () => sink.received.length);
  try {
    await benchmark.run(plan);
  } finally {
    print(`\n${benchmark.promises.table()}`);
  }
  return benchmark.promises.broken === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '1000000' },
      log: { type: 'string', default: '0' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    print(USAGE);
    return 0;
  }
  const plan = {
    count: wholeNumber('--count', values.count, [10_000, 10_000_000]),
    log: wholeNumber('--log', values.log, [0, 20_000_000]),
  };
  let code = 1;
  await withTeardown(async (teardown) => {
    code = await run(plan, teardown);
  });
  return code;
}

runProgram(main);
