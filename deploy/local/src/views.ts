import { LocalRuntimeError, messageOf } from './errors';
import { type Answer, httpGet } from './probe';
import type { Env, Settings } from './settings';
import { type FleetState, runningState } from './state';

const API_LIMIT_MS = 5_000;

/** The answer of the API at `path`, indented. */
export async function show(
  { paths, env }: Settings,
  path: '/status' | '/info' | '/metrics',
): Promise<string> {
  const { api } = requireRunning(runningState(paths));
  if (api === undefined) throw new LocalRuntimeError('This fleet has no gateway: TPS_REPLICAS_GATEWAY is 0.');
  const answer = await ask(`${api}${path}`, tokenHeader(env));
  return indented(answer.body);
}

export function requireRunning(state: FleetState | undefined): FleetState {
  if (state !== undefined) return state;
  throw new LocalRuntimeError('The fleet is not running: start it with `make up`.');
}

/** A table of the processes of the fleet. */
export function processTable({ paths }: Settings): string {
  const { supervisor, parts } = requireRunning(runningState(paths));
  const rows = parts.map(({ name, pid, state, since, restarts, ports }) => [
    name,
    String(pid ?? '-'),
    state,
    duration(Date.now() - since),
    String(restarts),
    ports.join(' '),
  ]);
  const head = ['NAME', 'PID', 'STATE', 'FOR', 'RESTARTS', 'PORTS'];
  return table([head, ['supervisor', String(supervisor.pid), 'live', '', '', ''], ...rows]);
}

/** Renders rows with aligned columns. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (sofar, row) => row.map((cell, column) => Math.max(sofar[column] ?? 0, cell.length)),
    [],
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}

/** The header with the first token that clients may use. */
function tokenHeader({ AUTH_TOKEN }: Env): Record<string, string> {
  const token = AUTH_TOKEN?.split(',')[0]?.trim().replace(/^.*:/, '');
  return token ? { authorization: `Bearer ${token}` } : {};
}

async function ask(url: string, headers: Record<string, string>): Promise<Answer> {
  try {
    return await httpGet(url, API_LIMIT_MS, headers);
  } catch (error) {
    throw new LocalRuntimeError(
      `${url} does not answer (${messageOf(error)}): \`make health\` shows which part is down.`,
    );
  }
}

function indented(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), undefined, 2);
  } catch {
    return body;
  }
}

function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}
