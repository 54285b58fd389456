import { openView } from '@tps/bus';
import { SCHEDULE_KEY, typeOfRateKey } from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { Limits } from './limits';
import type { LevelSequence } from './sequence';

/** Keeps the sequence and the limits up to date with what heijunka and people set for the whole fleet. */
export async function followLevelling(
  { bus, config, log }: ServiceContext,
  { sequence, limits }: { sequence: LevelSequence; limits: Limits },
): Promise<{ close(): void }> {
  const common = {
    replicas: config.TPS_NATS_REPLICAS,
    onError: (error: unknown) => void log.error('bucket', { error }),
  };
  const cards = await openView(bus, 'cards', {
    ...common,
    onChange: (type, record) => limits.setCards(type, record),
  });
  const schedule = await openView(bus, 'schedule', {
    ...common,
    onChange: (key, record) => {
      const limited = typeOfRateKey(key);
      if (limited !== undefined) {
        return limits.setRate(limited, record && 'max_per_s' in record ? record : undefined);
      }
      if (key !== SCHEDULE_KEY) return;
      const schedule = record && 'demand' in record ? record : undefined;
      sequence.setSchedule(schedule);
      limits.setAdvice(schedule);
    },
  });
  return {
    close: () => {
      cards.close();
      schedule.close();
    },
  };
}
