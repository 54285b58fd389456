import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { StopRecord } from './andon';
import { CircuitRecord } from './circuit';
import { CardsRecord, LeasesRecord, RateRecord } from './limits';
import type { Names } from './names';
import { type Message, parse } from './parse';
import { RedriveJob } from './redrive-jobs';
import { ScheduleRecord } from './schedule';
import { TypeRecord } from './signal-type';

/** The shapes of the values of each bucket. */
export const BUCKETS = {
  circuits: CircuitRecord,
  stops: StopRecord,
  types: TypeRecord,
  schedule: Type.Union([ScheduleRecord, RateRecord]),
  cards: CardsRecord,
  leases: LeasesRecord,
  redrives: RedriveJob,
} satisfies Record<keyof Names['buckets'], TSchema>;

/** A bucket of the fleet. */
export type BucketName = keyof typeof BUCKETS;
/** A value of one bucket. */
export type RecordOf<B extends BucketName> = Static<(typeof BUCKETS)[B]>;

/**
 * Reads a value of a bucket.
 *
 * @throws MessageError
 */
export function parseRecord<B extends BucketName>(bucket: B, key: string, entry: Message): RecordOf<B> {
  return parse(BUCKETS[bucket] as TSchema, entry, `${bucket} ${key}`) as RecordOf<B>;
}
