import { Kvm, type KV } from '@nats-io/kv';
import type { Message } from '@tps/contracts';
import { isApiError } from './api-error';
import type { Bus } from './connect';
import { placed } from './placement';

const WRONG_LAST_SEQUENCE = 10071;
const MAX_TRIES = 3;

/** Opens a bucket, creating it if absent. */
export async function openBucket(bus: Bus, name: string, replicas: number): Promise<KV> {
  return placed(bus, replicas, () => new Kvm(bus.nc).create(name, { history: 1, replicas }));
}

/** The value was changed by somebody else meanwhile: read it again and decide again. */
export function isConflict(error: unknown): boolean {
  return isApiError(error, WRONG_LAST_SEQUENCE);
}

/** Others change the value all the time: it could not be changed now. */
export class KvContentionError extends Error {
  override readonly name = 'KvContentionError';
}

/** The bucket is not followed now, or was replaced meanwhile: whether a write holds is unknown. */
export class KvUnsettledError extends Error {
  override readonly name: string = 'KvUnsettledError';
}

/** No stream takes the bucket's subjects now: the write surely does not hold. */
export class KvMissingError extends KvUnsettledError {
  override readonly name = 'KvMissingError';
}

/** Another bucket took the place of the one that a write relied on. */
export class KvReplacedError extends KvUnsettledError {
  override readonly name = 'KvReplacedError';
}

/** The client says so when nobody listens on a stream's subject, whatever the reason. */
export function isMissingBucket(error: unknown): boolean {
  return error instanceof Error && error.name === 'JetStreamNotEnabled';
}

/** Tries again at once: a bucket that was deleted just now, or has no leader for a moment, is there the next time. */
export async function insist<T>(step: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await step();
    } catch (error) {
      const isPassing = error instanceof KvMissingError || error instanceof KvReplacedError;
      if (tries === MAX_TRIES || !isPassing) throw error;
    }
  }
}

export interface KvValue<V> {
  value: V;
  /** 0: remembered from a bucket that was lost; the one that replaced it does not have the key. */
  revision: number;
}

/**
 * What the owner of a bucket's values writes again after the broker lost the bucket.
 * @param found what the new bucket has under the key, if anything
 * @returns null to leave the key as it is
 */
export type Restore<V> = (remembered: V, found: V | undefined) => V | null;

/** The first who remembers a key writes it; what the new bucket has already stands. */
export function restoreMissing<V>(remembered: V, found: V | undefined): V | null {
  return found === undefined ? remembered : null;
}

export interface KvOptions<V> {
  /** Copies of the bucket, if it is to be made. */
  replicas: number;
  /** Reads a value. Throws when it cannot be read: that is reported, and the value before stays. */
  parse: (key: string, message: Message) => V;
  onError: (error: unknown) => void;
  onChange?: (key: string, value: V | undefined) => void;
  /** For the owner of the bucket's values only. */
  restore?: Restore<V>;
}
