import { BenchError } from './errors';
import { Teardown } from './teardown';

/**
 * Runs a command of the bench and ends the process.
 * @param main resolves to the exit code
 * @param failed the exit code when it throws; of a `BenchError` only the message is shown, it is for who ran it
 */
export function runProgram(main: () => Promise<number>, failed = 1): void {
  main().then(
    (code) => process.exit(code),
    (error: unknown) => {
      const text =
        error instanceof BenchError ? error.message : error instanceof Error ? error.stack : String(error);
      process.stderr.write(`${text}\n`);
      process.exit(failed);
    },
  );
}

/** Whatever happens, also an interrupt: what was started is stopped again. */
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
