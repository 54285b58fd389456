import { BenchError } from './errors';
import { Teardown } from './teardown';

/**
 * Runs a command of the bench and ends the process.
 * @param main resolves to the exit code
 * @param failed the exit code after an error. A `BenchError` or a wrong option is printed without its stack
 */
export function runProgram(main: () => Promise<number>, failed = 1): void {
  main().then(
    (code) => process.exit(code),
    (error: unknown) => {
      say(isForUser(error) ? error.message : error instanceof Error ? (error.stack ?? '') : String(error));
      process.exit(failed);
    },
  );
}

function isForUser(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { code = '' } = error as { code?: string };
  return error instanceof BenchError || code.startsWith('ERR_PARSE_ARGS');
}

/** Stops everything that was started, also after an error or an interrupt. */
export async function withTeardown(run: (teardown: Teardown) => Promise<void>): Promise<number> {
  const teardown = new Teardown();
  teardown.onInterrupt();
  try {
    await run(teardown);
    return 0;
  } finally {
    await teardown.run();
  }
}

/** Reads the value of an option. */
export function wholeNumber(option: string, value: string, [min, max]: [min: number, max: number]): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  throw new BenchError(`${option} ${value} is not allowed: must be a whole number from ${min} to ${max}`);
}

/** Tells what is going on, on stderr: stdout is for the result. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Prints a part of the result. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
