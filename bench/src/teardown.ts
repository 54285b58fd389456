type Step = () => Promise<void>;

/**
 * Ends everything that was started, last first. Every step runs once, also when another fails or an interrupt arrives
 * during the ordinary end.
 */
export class Teardown {
  private readonly steps: Step[] = [];
  private running: Promise<void> | undefined;

  add(step: Step): void {
    this.steps.push(step);
  }

  run(): Promise<void> {
    return (this.running ??= this.runAll());
  }

  /** Runs the steps on ctrl-C, so that no fleet is left behind. */
  onInterrupt(): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => void this.run().finally(() => process.exit(130)));
    }
  }

  private async runAll(): Promise<void> {
    for (const step of this.steps.reverse()) {
      await step().catch((error: unknown) => process.stderr.write(`could not clean up: ${String(error)}\n`));
    }
  }
}
