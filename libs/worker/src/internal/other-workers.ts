import { type Bus } from '@tps/bus';
import { encodeMessage, parseReply, type ReplyOf, type Signal } from '@tps/contracts';

/** Every living worker, or its thread, answers within this time. */
const ANSWER_LIMIT_MS = 300;
/** When a worker has died, hundreds of its signals come back at once. They share answers up to this age. */
const FRESH_MS = 300;

export interface Holders {
  /** Another worker that has started the signal. */
  startedBy?: string;
  /** Number of workers that may have got the signal without reading it. */
  unread: number;
}

/** Asks the other workers which signals they have started, when a signal comes back without a record of the reason. */
export class OtherWorkers {
  private answers: Promise<ReplyOf<'workerInFlight'>[]> | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly instance: string,
  ) {}

  async holdersOf({ id, signal_type }: Pick<Signal, 'id' | 'signal_type'>): Promise<Holders> {
    const others = await (this.answers ??= this.ask());
    const startedBy = others.find(({ started = [] }) => started.includes(id))?.worker_id;
    const unread = others.filter((other) => other.unread?.includes(signal_type)).length;
    return { ...(startedBy === undefined ? {} : { startedBy }), unread };
  }

  private async ask(): Promise<ReplyOf<'workerInFlight'>[]> {
    const { nc, names } = this.bus;
    const answers: ReplyOf<'workerInFlight'>[] = [];
    try {
      const options = { strategy: 'timer', maxWait: ANSWER_LIMIT_MS } as const;
      for await (const reply of await nc.requestMany(
        names.subjects.workerInFlight,
        encodeMessage({}),
        options,
      )) {
        const answer = parseReply('workerInFlight', reply);
        if (answer.worker_id !== this.instance) answers.push(answer);
      }
    } catch {
      // Without a readable answer, the lost delivery counts as an attempt.
    }
    setTimeout(() => (this.answers = undefined), FRESH_MS).unref();
    return answers;
  }
}
