type Step = () => Promise<void>;

/**
 * What was started and must be ended, last first. Every step runs even when another fails, and only once: an
 * interrupt may come while the ordinary end is under way.
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

  /** Ctrl-C must not leave a fleet behind. */
  onInterrupt(): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => void this.run().finally(() => process.exit(130)));
    }
  }

  private async runAll(): Promise<void> {
    for (const step of this.steps.reverse()) {
      await step().catch((error: unknown) => process.stderr.write(`while ending: ${String(error)}\n`));
    }
  }
}
