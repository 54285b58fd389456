/** The fate of one attempt to submit a signal. `unknown`: it may have arrived. */
export type Reply = 'accepted' | 'refused' | 'unknown';

export interface Entry {
  /** The `Idempotency-Key`, and in the payload: names the signal wherever it comes out. */
  key: string;
  /** The result over all attempts. It stays unknown after an attempt that may have arrived, until one is accepted. */
  reply: Reply;
  id?: string;
  attempts: number;
  /** Duration of the longest attempt, in milliseconds. */
  longestMs: number;
}

/** The client's side: the signals it sent and the replies it got. */
export class Journal {
  readonly entries = new Map<string, Entry>();

  record(key: string, reply: Reply, facts: { ms: number; id?: string }): void {
    const entry = this.entries.get(key) ?? { key, reply, attempts: 0, longestMs: 0 };
    if (reply === 'accepted' || entry.reply === 'refused') entry.reply = reply;
    entry.attempts += 1;
    entry.longestMs = Math.max(entry.longestMs, facts.ms);
    if (facts.id) entry.id = facts.id;
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
}
