import { waitFor } from '@tps/testkit';
import { kindOf } from './answer-counts';
import { Connection } from './connection';
import type { ServerProcess } from './cpu';
import { BenchError } from './errors';
import type { Answer } from './http-answer';

/** A running system under comparison. */
export interface System {
  name: string;
  port: number;
  /** Name and version of the broker. */
  broker?: string;
  /** All serving processes, including the broker. */
  processes: readonly ServerProcess[];
}

const SERVING_LIMIT_MS = 20_000;

/** Waits until a request succeeds. */
export async function untilServing(name: string, port: number, request: Buffer): Promise<void> {
  const connection = new Connection(port);
  const probe = async (): Promise<true> => {
    const answer = await new Promise<Answer | null>((resolve) => connection.send(request, resolve));
    if (kindOf(answer) === 'ok') return true;
    throw new BenchError(answer ? `${answer.status} ${answer.body.slice(0, 500)}` : 'no answer');
  };
  await waitFor(`a first result from the ${name}`, probe, { limitMs: SERVING_LIMIT_MS, everyMs: 100 });
  connection.close();
}
