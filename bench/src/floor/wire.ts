/** What the floor's two processes say to each other. */

export const STREAM = 'FLOOR';
export const SUBJECT = 'floor.work';
export const CONSUMER = 'worker';

export interface Work {
  id: string;
  signal_type: string;
  payload: unknown;
  /** Where the gateway waits for the result. */
  reply_to: string;
}

export interface Result {
  success: boolean;
  result: unknown;
}

/** gateway: `<NATS URL> <HTTP port>`; worker: `<NATS URL>`. */
export function floorArguments(): { url: string; httpPort: number } {
  const [url = '', httpPort] = process.argv.slice(2);
  return { url, httpPort: Number(httpPort) };
}

/** A floor process does not outlive the bench that started it, however that ended. */
export function endWithParent(): void {
  process.on('disconnect', () => process.exit(0));
}
