const TOKEN = 'tps-token';
/** Longer than the gateway waits for any part of the fleet. */
const LIMIT_MS = 8_000;

/** A refusal of the gateway, with its own words. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** How long the gateway wants to be left alone, in milliseconds. */
    readonly retryAfterMs = 0,
  ) {
    super(message);
  }
}

/** The token lives as long as the tab, so that a screen on the wall may reload. */
export function setToken(token: string): void {
  sessionStorage.setItem(TOKEN, token);
}

export function headers(more: Record<string, string> = {}): Headers {
  const made = new Headers({ accept: 'application/json', ...more });
  const token = sessionStorage.getItem(TOKEN);
  if (token) made.set('authorization', `Bearer ${token}`);
  return made;
}

/** @throws Refusal */
export async function refuse(answer: Response): Promise<never> {
  const problem = (await answer.json().catch(() => ({}))) as { message?: string; code?: string };
  const seconds = Number(answer.headers.get('retry-after')) || 0;
  const message = problem.message ?? `The gateway answered ${answer.status}.`;
  throw new Refusal(answer.status, message, seconds * 1_000);
}

/** @throws Refusal, or an error when the gateway cannot be reached */
export async function get<T>(path: string): Promise<T> {
  const answer = await fetch(path, { headers: headers(), signal: AbortSignal.timeout(LIMIT_MS) });
  return answer.ok ? ((await answer.json()) as T) : refuse(answer);
}

/** @throws Refusal, or an error when the gateway cannot be reached */
export async function send(method: 'POST' | 'DELETE', path: string, body: object): Promise<void> {
  const answer = await fetch(path, {
    method,
    headers: headers({ 'content-type': 'application/json' }),
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  if (!answer.ok) await refuse(answer);
}

/** How long to wait before the next try: as long as the gateway wants, and never all pages in the same moment. */
export function pauseAfter(error: unknown, pauseMs: number): number {
  const wanted = error instanceof Refusal ? error.retryAfterMs : 0;
  return wanted + pauseMs * (0.5 + Math.random());
}
