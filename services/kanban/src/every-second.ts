/** The interval of all periodic work of kanban, in milliseconds. */
export const TICK_MS = 1_000;

/** Runs a task once a second, unless it still runs. @returns a function that stops it and waits for the last run */
export function everySecond(
  task: () => Promise<void>,
  onError: (error: unknown) => void,
): () => Promise<void> {
  let running: Promise<void> | null = null;
  const timer = setInterval(() => {
    running ??= task()
      .catch(onError)
      .finally(() => (running = null));
  }, TICK_MS);
  return async () => {
    clearInterval(timer);
    await running;
  };
}
