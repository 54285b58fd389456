export const STREAM = 'FLOOR';
export const SUBJECT = 'floor.work';
export const CONSUMER = 'worker';

export interface Work {
  id: string;
  signal_type: string;
  payload: unknown;
  /** The subject on which the gateway waits for the result. */
  reply_to: string;
}

export interface Result {
  success: boolean;
  result: unknown;
}

/** The arguments of a process: `<NATS URL> <HTTP port>` of the gateway, `<NATS URL>` of the worker. */
export function floorArguments(): { url: string; httpPort: number } {
  const [url = '', httpPort] = process.argv.slice(2);
  return { url, httpPort: Number(httpPort) };
}

/** Ends this process with the bench that started it, however the bench ends. */
export function endWithParent(): void {
  process.on('disconnect', () => process.exit(0));
}
