import { type Bus } from '@tps/bus';
import { encodeMessage, parseReply, type ReplyOf, type Signal } from '@tps/contracts';

/** Every living worker answers within this time, or its thread does. */
const ANSWER_LIMIT_MS = 300;
/** After a worker died, hundreds of its signals come back at once: they share an answer of this age. */
const FRESH_MS = 300;

export interface Holders {
  /** Another worker that has started it. */
  startedBy?: string;
  /** Number of workers to which it may have been delivered without being read. */
  unread: number;
}

/** Asks the other workers what they have started. Only for signals that come back without a record of why. */
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
      // An answer that cannot be had or read says nothing: the lost delivery counts as an attempt then.
    }
    setTimeout(() => (this.answers = undefined), FRESH_MS).unref();
    return answers;
  }
}
