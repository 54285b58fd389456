import { waitFor } from '@tps/testkit';
import { FaultScenario, INTACT, LONG, repeatable, report } from './fault-scenario';

const KILLS = LONG ? 5 : 1;
/** So few that the signals of a killed worker are those that the sink has just seen. */
const PER_SECOND = 5;

/** The gap that no protocol closes: the effect is there, and nobody has recorded it. */
describe('a worker that is killed between the effect and its acknowledgement', () => {
  let scenario: FaultScenario;
  beforeAll(async () => {
    scenario = await FaultScenario.start();
  }, 120_000);
  afterAll(() => scenario?.stop(), 90_000);

  test(
    'repeats the effect with the same Idempotency-Key, and the signal has one outcome',
    async () => {
      const { fleet, sink } = scenario;
      const cut: number[] = [];
      const result = await scenario.try({
        label: 'effect',
        forMs: 1_000,
        perSecond: PER_SECOND,
        fault: async (recovered) => {
          while (cut.length < KILLS) {
            const pid = await fleet.pid('worker-1');
            sink.beforeAnswer = async () => {
              process.kill(pid, 'SIGKILL');
              cut.push(pid);
            };
            const replaced = async (): Promise<boolean> => (await fleet.pid('worker-1')) !== pid;
            await waitFor('another worker', replaced, { limitMs: 30_000 });
            await recovered(30_000);
          }
        },
      });
      report(`worker killed ${KILLS} times between effect and acknowledgement`, result);
      expect(result).toMatchObject({ ...INTACT, superseded: 0 });
      // At least once: each cut delivery came again. Only a receiver that obeys the key has one effect.
      expect(result.repeated).toBeGreaterThanOrEqual(KILLS);
      expect(result.repeated).toBeLessThanOrEqual(KILLS * repeatable(result));
      expect(sink.ids.size).toBe(sink.effects.size);
    },
    LONG ? 300_000 : 120_000,
  );
});
