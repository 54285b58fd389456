import { setTimeout as sleep } from 'node:timers/promises';
import { type Bus, connectBus, managerOf } from '@tps/bus';
import { INTACT, long, report, Scene } from './scene';

const BUFFER = 100;
const SLOW_MS = 200;
/** Ten times what eight slots do of such work. */
const PER_SECOND = 400;

describe('ten times as much work as the fleet can do', () => {
  long(
    'accepted signals stay within the limit and are all done, and the others are refused for certain',
    async () => {
      const scene = await Scene.start({ TPS_KANBAN_BUFFER: String(BUFFER) });
      const bus = await connectBus({ url: String(scene.fleet.environment.NATS_URL), name: 'test' });
      try {
        scene.sink.delayMs = SLOW_MS;
        let deepest = 0;
        const verdict = await scene.try({
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
        report(`overload, at most ${deepest} unfinished`, verdict);
        expect(verdict).toMatchObject({ ...INTACT, unknown: 0, repeated: 0 });
        expect(verdict.refused).toBeGreaterThan(verdict.accepted);
        expect(deepest).toBeLessThanOrEqual(1.1 * BUFFER);
        expect(deepest).toBeGreaterThan(BUFFER / 2);
        // Both came equally often; the buffer's last fifth is not for the lowest, its last tenth only for the highest.
        const done = [...scene.sink.effects.keys()].filter((key) => key.startsWith('overload'));
        const urgent = done.filter(isUrgent).length;
        process.stdout.write(`of ${done.length} done ${urgent} had priority 1\n`);
        expect(urgent / done.length).toBeGreaterThan(0.9);
      } finally {
        await bus.close();
        await scene.stop();
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
