import { Connection } from './connection';
import { Tally } from './tally';

/** The server under load, on this machine, and what it is sent. */
export interface Target {
  port: number;
  /** The whole request, head and body, of the signal with this number. */
  request: (index: number) => Buffer;
}

export interface DriveResult {
  tally: Tally;
  sent: number;
  elapsedMs: number;
}

/**
 * As much as the server takes: each of the connections sends its next request when it has its answer. Shows what a
 * server can do at most. Says nothing about how long callers wait: whoever waits sends less.
 */
export async function closedLoop(
  target: Target,
  { connections, durationMs }: { connections: number; durationMs: number },
): Promise<DriveResult> {
  const tally = new Tally();
  const startMs = performance.now();
  const endMs = startMs + durationMs;
  let sent = 0;

  const drive = (connection: Connection): Promise<void> =>
    new Promise((done) => {
      const next = (): void => {
        const sentMs = performance.now();
        if (sentMs >= endMs) return done();
        connection.send(target.request(sent++), (answer) => {
          tally.add(performance.now() - sentMs, answer);
          // A server that does not answer would be asked again without a pause: this connection has seen enough.
          if (answer) next();
          else done();
        });
      };
      next();
    });

  const all = Array.from({ length: connections }, () => new Connection(target.port));
  const stopWatching = expireLateAnswers(() => all);
  await Promise.all(all.map(drive));
  stopWatching();
  for (const connection of all) connection.close();
  return { tally, sent, elapsedMs: performance.now() - startMs };
}

/** Longer than a signal's default time-out, after which the fleet answers by itself. */
const ANSWER_LIMIT_MS = 35_000;
const LOOK_EVERY_MS = 1_000;

/** One look over all connections a second: a timer per request would be the driver's largest cost. */
export function expireLateAnswers(connections: () => readonly Connection[]): () => void {
  const timer = setInterval(() => {
    for (const connection of connections()) connection.expire(ANSWER_LIMIT_MS);
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}
