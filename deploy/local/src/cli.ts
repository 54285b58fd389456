import { writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { LocalRuntimeError, messageOf } from './errors';
import { health } from './health';
import { unknownVariables } from './known-variables';
import { clean, down, reportReady, up } from './lifecycle';
import { openLog } from './log-files';
import { logs } from './logs';
import { profile } from './profile';
import { type Settings, readSettings } from './settings';
import { type Signals, supervise } from './supervisor';
import { processTable, show } from './views';

const USAGE = `Usage: node deploy/local/dist/cli.js <command>

  up               start the fleet in the background; returns when every part is ready
  run-local        start it in the foreground; ctrl-C stops it
  down             stop it; data stays
  restart          down, then up
  clean            down, and remove data and logs
  health           is every part up? (exit code 0 if so)
  ps               processes: pid, state, restarts, ports
  status           GET /status
  info             GET /info
  metrics          GET /metrics
  logs [name]      the last lines, then new ones (--no-follow: only the last lines)
  profile          CPU and memory by process, each second (--once: one table)
`;

interface Invocation {
  readonly settings: Settings;
  readonly name: string | undefined;
  readonly once: boolean;
  readonly follow: boolean;
}

/** Each command returns the exit code. */
const COMMANDS: Readonly<Record<string, (invocation: Invocation) => Promise<number>>> = {
  up: async ({ settings }) => {
    warn(settings);
    return done(up(settings, print));
  },
  down: async ({ settings }) => done(down(settings, print)),
  clean: async ({ settings }) => done(clean(settings, print)),
  restart: async ({ settings }) => {
    await down(settings, print);
    warn(settings);
    return done(up(settings, print));
  },
  health: async ({ settings }) => ((await health(settings, print)) ? 0 : 1),
  status: async ({ settings }) => done(show(settings, '/status').then(print)),
  info: async ({ settings }) => done(show(settings, '/info').then(print)),
  metrics: async ({ settings }) => done(show(settings, '/metrics').then(print)),
  ps: async ({ settings }) => {
    print(processTable(settings));
    return 0;
  },
  logs: async ({ settings, name, follow }) => done(logs(settings, { name, follow }, print)),
  profile: async ({ settings, once }) => done(profile(settings, once, print)),
  'run-local': async ({ settings }) => {
    warn(settings);
    const running = supervise(settings, stopSignals(), toLogAnd(settings, print));
    reportReady(settings, print).catch((error: unknown) => print(messageOf(error)));
    return running;
  },
  // The process that `up` starts in the background, with its output in supervisor.log.
  supervise: async ({ settings }) => supervise(settings, stopSignals(), (message) => print(stamped(message))),
};

/** Names misspelt variables, which would have no effect. */
function warn({ env }: Settings): void {
  for (const line of unknownVariables(env)) print(line);
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      once: { type: 'boolean' },
      'no-follow': { type: 'boolean' },
    },
  });
  const [command = 'help', name] = positionals;
  const run = COMMANDS[command];
  if (run === undefined || values.help) {
    const isHelp = command === 'help' || values.help === true;
    (isHelp ? process.stdout : process.stderr).write(
      isHelp ? USAGE : `There is no command "${command}".\n${USAGE}`,
    );
    return isHelp ? 0 : 2;
  }
  const settings = readSettings(process.env);
  return run({ settings, name, once: values.once ?? false, follow: !values['no-follow'] });
}

/** The first signal stops the fleet in order, a second one kills it. */
function stopSignals(): Signals {
  const stop = new AbortController();
  const force = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => (stop.signal.aborted ? force : stop).abort());
  }
  return { stop: stop.signal, force: force.signal };
}

function toLogAnd({ paths }: Settings, output: (line: string) => void): (message: string) => void {
  const log = openLog(paths, 'supervisor');
  return (message) => {
    output(message);
    writeSync(log, `${stamped(message)}\n`);
  };
}

function stamped(message: string): string {
  return `${new Date().toISOString()} ${message}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function done(work: Promise<unknown>): Promise<number> {
  await work;
  return 0;
}

// A closed pipe, as after `make logs | head`, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    const isForPerson = error instanceof LocalRuntimeError;
    process.stderr.write(
      `${isForPerson ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
    );
    process.exit(1);
  },
);
