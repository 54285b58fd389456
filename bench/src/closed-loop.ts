import { AnswerCounts } from './answer-counts';
import { Connection } from './connection';
import type { Answer } from './http-answer';

/** The server under load, on this machine, and its requests. */
export interface Target {
  port: number;
  /** The whole request, head and body, of the signal with this number. */
  request: (index: number) => Buffer;
  /** Sees every answer, for example to read ids from it. */
  onAnswer?: (answer: Answer | null, index: number) => void;
}

/** The load ends at whichever comes first: the duration, or the number of requests. */
interface ClosedLoopOptions {
  connections: number;
  durationMs: number;
  /** Default: no limit. */
  requests?: number;
}

export interface DriveResult {
  counts: AnswerCounts;
  sent: number;
  elapsedMs: number;
}

/**
 * Sends as much as the server takes: each connection sends its next request when it has an answer. Measures the maximum
 * throughput, but not how long callers wait, because a slow server is sent less.
 */
export async function closedLoop(
  target: Target,
  { connections, durationMs, requests = Infinity }: ClosedLoopOptions,
): Promise<DriveResult> {
  const counts = new AnswerCounts();
  const startMs = performance.now();
  const endMs = startMs + durationMs;
  let sent = 0;

  const drive = (connection: Connection): Promise<void> =>
    new Promise((done) => {
      const next = (): void => {
        const sentMs = performance.now();
        if (sentMs >= endMs || sent >= requests) return done();
        const index = sent++;
        connection.send(target.request(index), (answer) => {
          counts.add(performance.now() - sentMs, answer);
          target.onAnswer?.(answer, index);
          // A connection without an answer stops, or it would send to a dead server without a pause.
          if (answer) next();
          else done();
        });
      };
      next();
    });

  const all = Array.from({ length: connections }, () => new Connection(target.port));
  const stopExpiry = expireLateAnswers(() => all);
  await Promise.all(all.map(drive));
  stopExpiry();
  for (const connection of all) connection.close();
  return { counts, sent, elapsedMs: performance.now() - startMs };
}

/** Longer than a signal's default time-out, after which the fleet answers by itself. */
const ANSWER_LIMIT_MS = 35_000;
const CHECK_EVERY_MS = 1_000;

/** Checks all connections once a second: a timer per request would be the driver's largest cost. */
export function expireLateAnswers(connections: () => readonly Connection[]): () => void {
  const timer = setInterval(() => {
    for (const connection of connections()) connection.expire(ANSWER_LIMIT_MS);
  }, CHECK_EVERY_MS);
  return () => clearInterval(timer);
}
