import { BenchError } from '../errors';

const AT_ONCE = 16;

/** The gateway's answer to a signal with a key. */
export interface KeyedAnswer {
  id: string;
  /** The fields that a repeat must give again. */
  outcome: string;
  /** The header says that the answer is from the records. */
  replayed: boolean;
}

/** Signals with keys, whose handler posts to a sink: one request there is one effect. */
export class KeyedSignals {
  private readonly run = Date.now().toString(36);

  constructor(
    private readonly api: string,
    private readonly sink: string,
    readonly count: number,
  ) {}

  /**
   * Sends every key once, in order.
   * @throws BenchError if a signal is not accepted
   */
  async send(): Promise<KeyedAnswer[]> {
    const answers: KeyedAnswer[] = [];
    let next = 0;
    const sendNext = async (): Promise<void> => {
      while (next < this.count) {
        const key = next++;
        answers[key] = await this.post(key);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, sendNext));
    return answers;
  }

  private async post(key: number): Promise<KeyedAnswer> {
    const response = await fetch(`${this.api}/signal`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': `${this.run}-${key}` },
      body: JSON.stringify({
        signal_type: 'execute',
        payload: { task: 'http', url: this.sink, body: { key } },
      }),
    });
    const text = await response.text();
    if (response.status !== 202) throw new BenchError(`key ${key}: ${response.status} ${text.slice(0, 300)}`);
    const { signal_id: id, status, message, result } = JSON.parse(text) as Record<string, unknown>;
    return {
      id: String(id),
      outcome: JSON.stringify([id, status, message, result]),
      replayed: response.headers.get('idempotency-replayed') === 'true',
    };
  }
}
