const TOKEN = 'tps-token';
/** The gateway itself gives up on any part of the fleet sooner. */
const LIMIT_MS = 8_000;

/** An error answer of the gateway, in its own words. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** `Retry-After`, in milliseconds. */
    readonly retryAfterMs = 0,
  ) {
    super(message);
  }
}

/** Keeps the token until the tab is closed, so that a screen on the wall can reload the page. */
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

/** The pause before the next try: `Retry-After`, plus a random part, so that not all pages come back in the same moment. */
export function pauseAfter(error: unknown, pauseMs: number): number {
  const wanted = error instanceof Refusal ? error.retryAfterMs : 0;
  return wanted + pauseMs * (0.5 + Math.random());
}
