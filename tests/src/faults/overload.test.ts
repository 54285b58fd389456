import { setTimeout as sleep } from 'node:timers/promises';
import { type Bus, connectBus, managerOf } from '@tps/bus';
import { INTACT, long, report, FaultScenario } from './fault-scenario';

const BUFFER = 100;
const SLOW_MS = 200;
/** Ten times what eight slots do of such work. */
const PER_SECOND = 400;

describe('ten times as much work as the fleet can do', () => {
  long(
    'accepted signals stay within the limit and are all done, and the others are refused for certain',
    async () => {
      const scenario = await FaultScenario.start({ TPS_KANBAN_BUFFER: String(BUFFER) });
      const bus = await connectBus({ url: String(scenario.fleet.environment.NATS_URL), name: 'test' });
      try {
        scenario.sink.delayMs = SLOW_MS;
        let deepest = 0;
        const result = await scenario.try({
          label: 'overload',
          forMs: 0,
          retry: false,
          perSecond: PER_SECOND,
          priority: (key) => (isUrgent(key) ? 1 : 4),
          fault: async () => {
            for (const until = Date.now() + 20_000; Date.now() < until; await sleep(50)) {
              deepest = Math.max(deepest, await messagesOf(bus));
            }
          },
        });
        report(`overload, at most ${deepest} unfinished`, result);
        expect(result).toMatchObject({ ...INTACT, unknown: 0, repeated: 0 });
        expect(result.refused).toBeGreaterThan(result.accepted);
        expect(deepest).toBeLessThanOrEqual(1.1 * BUFFER);
        expect(deepest).toBeGreaterThan(BUFFER / 2);
        // Both came equally often; the buffer's last fifth is not for the lowest, its last tenth only for the highest.
        const done = [...scenario.sink.effects.keys()].filter((key) => key.startsWith('overload'));
        const urgent = done.filter(isUrgent).length;
        process.stdout.write(`of ${done.length} done ${urgent} had priority 1\n`);
        expect(urgent / done.length).toBeGreaterThan(0.9);
      } finally {
        await bus.close();
        await scenario.stop();
      }
    },
    180_000,
  );
});

/** Every other one. */
function isUrgent(key: string): boolean {
  return Number(key.split('-').at(-1)) % 2 === 0;
}

async function messagesOf(bus: Bus): Promise<number> {
  const { state } = await (await managerOf(bus)).streams.info(bus.names.streams.kanban);
  return state.messages;
}
