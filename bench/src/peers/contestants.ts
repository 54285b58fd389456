import { startFleet } from '../fleet/start';
import { startFloor } from '../floor/start';
import type { System } from '../system';
import type { Teardown } from '../teardown';
import { startBullmq } from './bullmq';
import { startMoleculer } from './moleculer';
import { startRabbitmq } from './rabbitmq';

/** A system of the comparison. */
export interface Contestant {
  /** The name in tables; the first is that of the fleet. */
  title: string;
  /** Whether a signal that was accepted survives the restart of every process. */
  durable: boolean;
  /** @param request must succeed before the system counts as started */
  start: (request: Buffer, teardown: Teardown) => Promise<System>;
}

export const FLEET = 'fleet';

export const CONTESTANTS: readonly Contestant[] = [
  { title: FLEET, durable: true, start: startFleet },
  { title: 'floor: express + JetStream', durable: true, start: startFloor },
  {
    title: 'limit: node:http + JetStream',
    durable: true,
    start: (request, teardown) => startFloor(request, teardown, 'http-gateway'),
  },
  { title: 'BullMQ on Redis', durable: true, start: startBullmq },
  { title: 'RabbitMQ request/reply, confirms', durable: true, start: startRabbitmq },
  { title: 'Moleculer on NATS, six services', durable: false, start: startMoleculer },
];
