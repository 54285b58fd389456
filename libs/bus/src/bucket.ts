import { jetstream } from '@nats-io/jetstream';
import { Kvm, type KV } from '@nats-io/kv';
import { Objm, type ObjectStore } from '@nats-io/obj';
import type { Message } from '@tps/contracts';
import { isApiError } from './api-error';
import type { Bus } from './connect';
import { placed } from './placement';
import { retry } from './retry';

const WRONG_LAST_SEQUENCE = 10071;
const MAX_TRIES = 3;
const AT_ONCE = { firstMs: 0, capMs: 0 };

/** Opens a bucket, and creates it if it is absent. */
export async function openBucket(bus: Bus, name: string, replicas: number): Promise<KV> {
  return placed(bus, replicas, () => new Kvm(bus.nc).create(name, { history: 1, replicas }));
}

/** Whether a write failed because somebody else changed the value first: read it again and decide again. */
export function isConflict(error: unknown): boolean {
  return isApiError(error, WRONG_LAST_SEQUENCE);
}

/** Opens an object store, and creates it if it is absent. Its requests wait `timeout` milliseconds for an answer. */
export async function openObjectStore(
  bus: Bus,
  name: string,
  { replicas, timeout }: { replicas: number; timeout: number },
): Promise<ObjectStore> {
  return placed(bus, replicas, () => new Objm(jetstream(bus.nc, { timeout })).create(name, { replicas }));
}

/** A compare-and-set gave up because another writer was first every time. */
export class KvContentionError extends Error {
  override readonly name = 'KvContentionError';
}

/** The bucket is not followed now, or was replaced during a write, so whether it has the written value is unknown. */
export class KvUnsettledError extends Error {
  override readonly name: string = 'KvUnsettledError';
}

/** The bucket's stream does not exist now: nothing was written. */
export class KvMissingError extends KvUnsettledError {
  override readonly name = 'KvMissingError';
}

/** Another bucket replaced the one that a write relied on. */
export class KvReplacedError extends KvUnsettledError {
  override readonly name = 'KvReplacedError';
}

/** Whether nothing listens on the subjects of the bucket's stream, as the client reports it. */
export function isMissingBucket(error: unknown): boolean {
  return error instanceof Error && error.name === 'JetStreamNotEnabled';
}

/** Repeats a write at once, because a bucket that was just deleted, or has no leader for a moment, soon exists again. */
export function retryWhileReplaced<T>(write: () => Promise<T>): Promise<T> {
  const retryIf = (error: unknown): boolean =>
    error instanceof KvMissingError || error instanceof KvReplacedError;
  return retry(write, { backoff: AT_ONCE, maxTries: MAX_TRIES, retryIf });
}

/** A value and its revision in the bucket. */
export interface KvValue<V> {
  value: V;
  /** 0: the value is remembered from a lost bucket, and the bucket that replaced it does not have the key. */
  revision: number;
}

/**
 * Decides what the owner of a bucket writes under a key again after the broker lost the bucket.
 *
 * @param found the value of the new bucket, if it has one
 * @returns null to leave the key as it is
 */
export type Restore<V> = (remembered: V, found: V | undefined) => V | null;

/** Writes the remembered value, unless the new bucket has the key already. */
export function restoreMissing<V>(remembered: V, found: V | undefined): V | null {
  return found === undefined ? remembered : null;
}

/** How a `KvView` reads its bucket. */
export interface KvOptions<V> {
  /** Copies of the bucket. With `restore`, a bucket that exists with fewer gets them, too. */
  replicas: number;
  /** Reads a value. If it throws, the error is reported and the previous value stays. */
  parse: (key: string, message: Message) => V;
  onError: (error: unknown) => void;
  /** Called with every change, also those of this process; undefined for a deleted key. */
  onChange?: (key: string, value: V | undefined) => void;
  /** Only for the owner of the bucket's values. Default: nothing is written again. */
  restore?: Restore<V>;
}
