import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readEnvFile } from '@tps/local/env-file';
import { WaitTimeoutError } from '@tps/testkit';
import { checkNoLoss, type CheckResult } from './faults/loss-checker';
import { Load } from './faults/load';
import { figures, type Get, outcomeOf } from './faults/settled-fleet';

const USAGE = `Usage: node tests/dist/chaos.js [--seconds n]

Kills every part of the fleet that \`make up\` runs on this machine, one after another, under load, and watches
whether it comes back with nothing lost. Nobody else may send meanwhile: the counts are compared. HTTP_PORT and AUTH_TOKEN as for the fleet,
from the environment or .env. Default: 12 seconds of load a part.
Exit code: 0 everything held, 1 something did not, 3 no fleet runs here or wrong use.
`;

const EXIT_BROKEN = 1;
const EXIT_NO_FLEET = 3;
const PER_SECOND = 60;
const DEFAULT_SECONDS = 12;
const GET_LIMIT_MS = 10_000;
const REST_LIMIT_MS = 120_000;
const RECOVERY_LIMIT_MS = 60_000;
/** The promised recovery: a service within 10 s, NATS within 15 s because every service has to connect again. RabbitMQ starts slowly. */
const PROMISED_MS: Record<string, number> = { nats: 15_000, rabbitmq: 45_000, epmd: 45_000 };
const PROMISED_SERVICE_MS = 10_000;
const MAX_REPEATED_PERCENT = 1;

interface Part {
  name: string;
  service: string;
  pid: number | null;
}

class ChaosError extends Error {}

interface Target {
  url: string;
  token: string;
  stateFile: string;
}

function target(): Target {
  const root = process.env.TPS_ROOT || resolve(__dirname, '../..');
  const settings = readEnvFile(join(root, '.env'), process.env);
  const env: NodeJS.ProcessEnv = { ...settings, ...process.env };
  const { HTTP_PORT = '8080', AUTH_TOKEN = '', SSL_ENABLED, TPS_HOME } = env;
  if (SSL_ENABLED === 'true') throw new ChaosError('SSL_ENABLED=true: the load is sent by plain HTTP only.');
  const home = TPS_HOME || join(root, '.tps');
  // Tokens may be a list with names in front, as the gateway takes it.
  const token = AUTH_TOKEN.split(',')[0]?.split(':').at(-1) ?? '';
  return { url: `http://127.0.0.1:${HTTP_PORT}`, token, stateFile: join(home, 'run/state.json') };
}

async function partsOf({ stateFile }: Target): Promise<Part[]> {
  const text = await readFile(stateFile, 'utf8').catch(() => null);
  if (text === null) throw new ChaosError('No fleet of `make up` runs here (start it, or set TPS_HOME).');
  return (JSON.parse(text) as { parts: Part[] }).parts;
}

function reader({ url, token }: Target): Get {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  return async (path) => {
    const response = await fetch(url + path, { headers, signal: AbortSignal.timeout(GET_LIMIT_MS) });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
}

/** Whether another process has the part's name, and the fleet says it is healthy. */
async function isBack(victim: Part, to: Target): Promise<boolean> {
  const pid = (await partsOf(to)).find(({ name }) => name === victim.name)?.pid;
  const replaced = typeof pid === 'number' && pid !== victim.pid;
  return replaced && (await reader(to)('/health')).body.healthy === true;
}

async function strike(
  victim: Part,
  to: Target,
  seconds: number,
): Promise<{ result: CheckResult; recoveryMs: number }> {
  const get = reader(to);
  const before = await figures(get);
  const load = new Load({
    url: to.url,
    token: to.token,
    label: `chaos-${process.pid}-${Date.now()}-${victim.name}`,
    perSecond: PER_SECOND,
    retry: true,
    signal: (key) => ({ signal_type: 'validate', payload: { data: key } }),
  });
  let recoveryMs = Infinity;
  await load.during(async () => {
    process.kill(victim.pid as number, 'SIGKILL');
    recoveryMs = await load
      .recovery(() => isBack(victim, to), RECOVERY_LIMIT_MS)
      .catch((error: unknown) => {
        if (error instanceof WaitTimeoutError) return Infinity;
        throw error;
      });
  }, seconds * 1_000);
  const { journal } = load;
  const outcome = await outcomeOf(get, journal, { before, limitMs: REST_LIMIT_MS });
  return { result: checkNoLoss(journal, outcome), recoveryMs };
}

interface Line {
  part: string;
  held: boolean;
  faults: string[];
  columns: string[];
}

function lineOf(victim: Part, result: CheckResult, recoveryMs: number): Line {
  const promisedMs = PROMISED_MS[victim.service] ?? PROMISED_SERVICE_MS;
  const faults = [
    ...(result.lost.length > 0 ? [`${result.lost.length} lost`] : []),
    ...(result.countsAgree ? [] : ['the count is not the number of signals']),
    ...(result.repeatedPercent >= MAX_REPEATED_PERCENT
      ? [`${result.repeatedPercent.toFixed(1)} % repeated`]
      : []),
    ...(recoveryMs > promisedMs ? [`recovery took longer than ${promisedMs / 1_000} s`] : []),
  ];
  const recovered = Number.isFinite(recoveryMs) ? `${(recoveryMs / 1_000).toFixed(1)} s` : 'never';
  const { accepted, lost, repeated, longestMs } = result;
  const columns = [recovered, accepted, lost.length, repeated, `${(longestMs / 1_000).toFixed(1)} s`].map(
    String,
  );
  return { part: victim.name, held: faults.length === 0, faults, columns };
}

const HEAD = ['killed', 'recovered', 'accepted', 'lost', 'repeated', 'longest wait', 'result'];
const WIDTHS = [14, 11, 10, 6, 10, 14];

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0)).join('');
}

async function run(seconds: number): Promise<number> {
  const to = target();
  const health = await reader(to)('/health').catch(() => null);
  if (!health)
    throw new ChaosError(`No fleet answers on ${to.url}: start it with \`make up\`, or set HTTP_PORT.`);
  const victims = (await partsOf(to)).filter(({ pid }) => pid !== null);
  process.stdout.write(
    `${PER_SECOND} signals/s, ${seconds} s a part; each is killed with SIGKILL.\n\n${row(HEAD)}\n`,
  );
  let broken = 0;
  for (const { name } of victims) {
    const victim = (await partsOf(to)).find((part) => part.name === name);
    if (!victim?.pid) continue;
    const { result, recoveryMs } = await strike(victim, to, seconds);
    const line = lineOf(victim, result, recoveryMs);
    const said = line.held ? '✓ held' : `✗ ${line.faults.join(', ')}`;
    process.stdout.write(`${row([line.part, ...line.columns, said])}\n`);
    if (!line.held) broken += 1;
  }
  process.stdout.write(
    broken === 0 ? '\nEverything held.\n' : `\n${broken} of ${victims.length} did not hold.\n`,
  );
  return broken === 0 ? 0 : EXIT_BROKEN;
}

function readSeconds(args: readonly string[]): number {
  if (args.length === 0) return DEFAULT_SECONDS;
  const seconds = args[0] === '--seconds' && args.length === 2 ? Number(args[1]) : NaN;
  if (!Number.isInteger(seconds) || seconds < 2 || seconds > 600) throw new ChaosError(USAGE);
  return seconds;
}

void (async () => {
  try {
    process.exitCode = await run(readSeconds(process.argv.slice(2)));
  } catch (error) {
    process.stderr.write(error instanceof ChaosError ? `${error.message}\n` : `${String(error)}\n`);
    process.exitCode = error instanceof ChaosError ? EXIT_NO_FLEET : EXIT_BROKEN;
  }
})();
