import { KvView } from '@tps/bus';
import {
  type CardsRecord,
  type RateRecord,
  SCHEDULE_KEY,
  type ScheduleRecord,
  typeOfRateKey,
} from '@tps/contracts';
import type { ServiceContext } from '@tps/service';
import type { Limits } from './limits';
import type { LevelSequence } from './sequence';

/** Keeps the sequence and the limits as heijunka and people set them for the whole fleet. */
export async function followLevelling(
  { bus, config, log }: ServiceContext,
  sequence: LevelSequence,
  limits: Limits,
): Promise<{ close(): void }> {
  const common = {
    replicas: config.TPS_NATS_REPLICAS,
    onError: (error: unknown) => void log.error('bucket', { error }),
  };
  const cards = await KvView.open<CardsRecord>(bus, bus.names.buckets.cards, {
    ...common,
    onChange: (type, record) => limits.setCards(type, record),
  });
  const schedule = await KvView.open<ScheduleRecord | RateRecord>(bus, bus.names.buckets.schedule, {
    ...common,
    onChange: (key, record) => {
      const limited = typeOfRateKey(key);
      if (limited !== undefined) return limits.setRate(limited, record as RateRecord | undefined);
      if (key !== SCHEDULE_KEY) return;
      sequence.setDemand((record as ScheduleRecord | undefined)?.demand ?? {});
      limits.setAdvice(record as ScheduleRecord | undefined);
    },
  });
  return {
    close: () => {
      cards.close();
      schedule.close();
    },
  };
}
