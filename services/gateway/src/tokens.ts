import { createHash, timingSafeEqual } from 'node:crypto';

/** Who asks. */
export interface Caller {
  /** All tokens of one client mean the same client: its idempotency keys and its rate limit outlive a token. */
  client: string;
  operator: boolean;
}

/** The client of a token without a name of its own. */
export const DEFAULT_CLIENT = 'tps';

const ENTRY = /^(?:([A-Za-z0-9_-]{1,32}):)?([!-+\--9;-~]{1,256})$/;

export interface Token {
  client: string;
  secret: string;
}

/** Reads `[client:]token,...`; null when it is not that. */
export function parseTokens(text: string): Token[] | null {
  if (!text) return [];
  const entries = text.split(',').map((entry) => ENTRY.exec(entry.trim()));
  if (entries.includes(null)) return null;
  return entries.map((match) => ({ client: match![1] ?? DEFAULT_CLIENT, secret: match![2]! }));
}

/** Knows callers by their tokens. */
export class Tokens {
  private readonly known: { digest: Buffer; caller: Caller }[];

  constructor(clients: Token[], operators: Token[]) {
    const entry = ({ client, secret }: Token, operator: boolean) => ({
      digest: digestOf(secret),
      caller: { client, operator },
    });
    this.known = [
      ...clients.map((token) => entry(token, false)),
      ...operators.map((token) => entry(token, true)),
    ];
  }

  /** Digests have one length and all of them are compared, so that every wrong token takes the same time. */
  callerOf(authorization: string | undefined): Caller | null {
    const secret = /^Bearer +([!-~]+)$/i.exec(authorization ?? '')?.[1];
    if (!secret) return null;
    const given = digestOf(secret);
    let found: Caller | null = null;
    for (const { digest, caller } of this.known) if (timingSafeEqual(given, digest)) found = caller;
    return found;
  }
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
