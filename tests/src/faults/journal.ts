/** What became of one attempt to hand a signal in. `unknown`: it may have arrived. */
export type Reply = 'accepted' | 'refused' | 'unknown';

export interface Entry {
  /** The `Idempotency-Key`, and in the payload: names the signal wherever it comes out. */
  key: string;
  /** Of the last attempt. */
  reply: Reply;
  id?: string;
  attempts: number;
  /** Of the attempt that took longest, in milliseconds. */
  longestMs: number;
  /** Statuses and errors other than 202. */
  troubles: string[];
}

/** The client's side: what was sent, and what it was told. */
export class Journal {
  readonly entries = new Map<string, Entry>();

  record(key: string, reply: Reply, facts: { ms: number; id?: string; trouble?: string }): void {
    const entry = this.entries.get(key) ?? { key, reply, attempts: 0, longestMs: 0, troubles: [] };
    entry.reply = reply;
    entry.attempts += 1;
    entry.longestMs = Math.max(entry.longestMs, facts.ms);
    if (facts.id) entry.id = facts.id;
    if (facts.trouble) entry.troubles.push(facts.trouble);
    this.entries.set(key, entry);
  }

  of(reply: Reply): Entry[] {
    return [...this.entries.values()].filter((entry) => entry.reply === reply);
  }

  get accepted(): Entry[] {
    return this.of('accepted');
  }

  /** The longest that any attempt took, in milliseconds. */
  get longestMs(): number {
    return Math.max(0, ...[...this.entries.values()].map(({ longestMs }) => longestMs));
  }

  troubles(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { troubles } of this.entries.values()) {
      for (const trouble of troubles) counts[trouble] = (counts[trouble] ?? 0) + 1;
    }
    return counts;
  }
}
