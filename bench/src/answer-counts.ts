import type { Answer } from './http-answer';

/**
 *   ok       accepted, and the work succeeded
 *   open     accepted, and the outcome is still outstanding
 *   refused  429: back pressure, which is no error
 *   stopped  503: a stopped line, or no broker
 *   failed   anything else, and no answer at all
 */
export type Kind = 'ok' | 'open' | 'refused' | 'stopped' | 'failed';

export function kindOf(answer: Answer | null): Kind {
  if (answer?.status === 429) return 'refused';
  if (answer?.status === 503) return 'stopped';
  if (answer === null || answer.status < 200 || answer.status > 299) return 'failed';
  // The first `success` is that of the answer; its result may hold another.
  const success = /"success": ?(true|false|null)/.exec(answer.body)?.[1];
  return success === 'true' ? 'ok' : success === 'null' ? 'open' : 'failed';
}

/** Counts answers as they arrive. */
export class AnswerCounts {
  readonly kinds: Record<Kind, number> = { ok: 0, open: 0, refused: 0, stopped: 0, failed: 0 };
  /** Milliseconds, of accepted signals only, because quick refusals would flatter the figures. */
  readonly latencies: number[] = [];
  /** Signals that were not accepted, by status and code: `503 CIRCUIT_OPEN`, `no answer`. */
  readonly refusals = new Map<string, number>();

  add(latencyMs: number, answer: Answer | null): void {
    const kind = kindOf(answer);
    this.kinds[kind] += 1;
    if (kind === 'ok' || kind === 'open') this.latencies.push(latencyMs);
    else this.addRefusal(answer);
  }

  private addRefusal(answer: Answer | null): void {
    const code = answer && /"code": ?"([A-Z_]+)"/.exec(answer.body)?.[1];
    const why = answer ? [answer.status, code].filter(Boolean).join(' ') : 'no answer';
    this.refusals.set(why, (this.refusals.get(why) ?? 0) + 1);
  }
}
