import type { Answer } from './http-answer';

/**
 *   ok       accepted, and the work succeeded
 *   open     accepted, the outcome is still outstanding
 *   refused  429: back pressure, which is no fault
 *   stopped  503: a stopped line, or no broker
 *   failed   anything else, no answer included
 */
export const KINDS = ['ok', 'open', 'refused', 'stopped', 'failed'] as const;
export type Kind = (typeof KINDS)[number];

export function kindOf(answer: Answer | null): Kind {
  if (answer?.status === 429) return 'refused';
  if (answer?.status === 503) return 'stopped';
  if (answer === null || answer.status < 200 || answer.status > 299) return 'failed';
  // `success` is the answer's first field; a result further behind may hold another.
  const success = /"success": ?(true|false|null)/.exec(answer.body)?.[1];
  return success === 'true' ? 'ok' : success === 'null' ? 'open' : 'failed';
}

/** Everything that came back, while it comes back. */
export class Tally {
  readonly kinds: Record<Kind, number> = { ok: 0, open: 0, refused: 0, stopped: 0, failed: 0 };
  /** Milliseconds, of accepted signals only: a quick refusal would flatter the figures. */
  readonly latencies: number[] = [];
  /** What was not accepted, by status and code: `503 CIRCUIT_OPEN`, `no answer`. */
  readonly refusals = new Map<string, number>();

  add(latencyMs: number, answer: Answer | null): void {
    const kind = kindOf(answer);
    this.kinds[kind] += 1;
    if (kind === 'ok' || kind === 'open') this.latencies.push(latencyMs);
    else this.refuse(answer);
  }

  get answered(): number {
    return KINDS.reduce((sum, kind) => sum + this.kinds[kind], 0);
  }

  private refuse(answer: Answer | null): void {
    const code = answer && /"code": ?"([A-Z_]+)"/.exec(answer.body)?.[1];
    const why = answer ? [answer.status, code].filter(Boolean).join(' ') : 'no answer';
    this.refusals.set(why, (this.refusals.get(why) ?? 0) + 1);
  }
}
