import { type LostState, METRICS } from '@tps/contracts';
import { Gauge, type Registry } from 'prom-client';
import type { LightRule } from './assessment';

const BUCKET_PREFIX = 'KV_';

/** Tells people that the store of NATS was empty, wholly or in part, and what went with it. */
export const STATE_LOST: LightRule<{ lost_state?: readonly LostState[] }> = {
  rule: 'state_lost',
  yellow: 'NATS lost a bucket within the last 10 minutes, and its owner wrote every key again',
  red: 'NATS came back without a stream, or without keys of a bucket, within the last 10 minutes',
  first:
    'The reason names what is lost: unfinished signals of KANBAN, records of OUTCOMES, dead letters of DEAD. The fleet ' +
    'made the streams again and accepts work. Find out why the store of NATS was empty (volume, container, disk) ' +
    'before it happens again, and ask clients to send again what they have no outcome for.',
  assess: ({ lost_state = [] }) => {
    if (lost_state.length === 0) return undefined;
    const colour = lost_state.some(isLostForGood) ? 'RED' : 'YELLOW';
    const about = lost_state
      .map(({ name }) => name)
      .sort()
      .join(', ');
    return { colour, about, reason: `NATS lost ${lost_state.map(lossInWords).sort().join(', ')}` };
  },
};

/** Exports what NATS lost for good, for the alert. */
export function exposeLosses(registry: Registry, lostState: () => readonly LostState[]): void {
  new Gauge({
    ...METRICS.stateLost,
    registers: [registry],
    collect() {
      this.set(lostState().filter(isLostForGood).length);
    },
  });
}

/** The owner of a lost bucket writes its keys again; the messages of a lost stream are gone. */
function isLostForGood({ name, gone }: LostState): boolean {
  return gone === true || !name.startsWith(BUCKET_PREFIX);
}

function lossInWords(loss: LostState): string {
  const { name, entries = 0 } = loss;
  if (!isLostForGood(loss)) return `${name} (written again)`;
  return entries > 0 ? `${name} (${entries} ${name.startsWith(BUCKET_PREFIX) ? 'keys' : 'entries'})` : name;
}
