import { nanos } from '@nats-io/transport-node';
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  jetstreamManager,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StoredMsg,
  type StreamConfig,
} from '@nats-io/jetstream';
import { laneName, type Names, PRIORITIES } from '@tps/contracts';
import { isApiError } from './api-error';
import type { Bus } from './connect';
import { assertCopies, placed } from './placement';

export type StreamName = keyof Names['streams'];

export interface StreamSettings {
  /** Copies of every stream and bucket (`TPS_NATS_REPLICAS`). */
  replicas: number;
  /** `max_msgs` of KANBAN: the hard limit on what is accepted and unfinished. */
  kanbanMaxMessages?: number;
  outcomesMaxAgeMs?: number;
  /** `max_bytes` of OUTCOMES. Default: 2 GiB. */
  outcomesMaxBytes?: number;
}

const HOUR_MS = 3_600_000;
const GIB = 1024 ** 3;
/** A worker's lease on what it holds: renewed while it lives, redelivered elsewhere when it does not. */
export const LEASE_MS = 8_000;
const CONSUMER_EXISTS = [10013, 10148];
const CONSUMER_NOT_FOUND = 10014;
const STREAM_NOT_FOUND = 10059;
const STREAM_NAME_IN_USE = 10058;
const MESSAGE_NOT_FOUND = 10037;

function definition(names: Names, stream: StreamName, settings: StreamSettings): Partial<StreamConfig> {
  const root = `${names.prefix}tps`;
  const common = { storage: StorageType.File, num_replicas: settings.replicas, allow_direct: true };
  switch (stream) {
    case 'kanban':
      return {
        ...common,
        subjects: [`${root}.kanban.*.*.*`],
        retention: RetentionPolicy.Workqueue,
        discard: DiscardPolicy.New,
        // No max_bytes and no max_age: the broker would delete accepted work.
        max_msgs: settings.kanbanMaxMessages ?? 1100,
        duplicate_window: nanos(120_000),
      };
    case 'outcomes':
      return {
        ...common,
        subjects: [`${root}.outcomes.>`],
        retention: RetentionPolicy.Limits,
        max_age: nanos(settings.outcomesMaxAgeMs ?? 24 * HOUR_MS),
        max_bytes: settings.outcomesMaxBytes ?? 2 * GIB,
      };
    case 'dead':
      return {
        ...common,
        subjects: [`${root}.dead.*`],
        retention: RetentionPolicy.Limits,
        discard: DiscardPolicy.New,
        max_age: nanos(30 * 24 * HOUR_MS),
        max_bytes: GIB,
      };
    case 'andon':
      return {
        ...common,
        subjects: [`${root}.andon.*`],
        retention: RetentionPolicy.Limits,
        max_age: nanos(90 * 24 * HOUR_MS),
      };
  }
}

/** Manages streams and consumers; does not ask the broker anything by itself. */
export function managerOf(bus: Bus, options: { timeout?: number } = {}): Promise<JetStreamManager> {
  return jetstreamManager(bus.nc, { ...options, checkAPI: false });
}

/**
 * For a stream's owner: creates it if absent, and gives it more room or time where more is asked for. Never shrinks
 * anything: lowering `max_msgs` below what a stream holds makes the broker delete it.
 */
export async function ensureStream(bus: Bus, stream: StreamName, settings: StreamSettings): Promise<void> {
  const { name, max_msgs, max_age, max_bytes } = await createStream(bus, stream, settings);
  const { kanbanMaxMessages = 0, outcomesMaxAgeMs = 0, outcomesMaxBytes = 0 } = settings;
  // What has no limit (-1 or 0) has more than anybody asks for.
  const raised = {
    ...(max_msgs > 0 && kanbanMaxMessages > max_msgs ? { max_msgs: kanbanMaxMessages } : {}),
    ...(max_age > 0 && nanos(outcomesMaxAgeMs) > max_age ? { max_age: nanos(outcomesMaxAgeMs) } : {}),
    ...(max_bytes > 0 && outcomesMaxBytes > max_bytes ? { max_bytes: outcomesMaxBytes } : {}),
  };
  if (Object.keys(raised).length > 0) await (await managerOf(bus)).streams.update(name, raised);
}

/** For who may come before the stream's owner: creates it if absent, and leaves one that exists as it is. */
export async function createStream(
  bus: Bus,
  stream: StreamName,
  settings: StreamSettings,
): Promise<StreamConfig> {
  return placed(bus, settings.replicas, () => createOnce(bus, stream, settings));
}

async function createOnce(bus: Bus, stream: StreamName, settings: StreamSettings): Promise<StreamConfig> {
  const jsm = await managerOf(bus);
  const name = bus.names.streams[stream];
  try {
    const { config, cluster } = await jsm.streams.info(name);
    assertCopies(config.num_replicas, settings.replicas, cluster);
    return config;
  } catch (error) {
    if (!isMissingStream(error)) throw error;
  }
  try {
    return (await jsm.streams.add({ name, ...definition(bus.names, stream, settings) })).config;
  } catch (error) {
    // Several may create it at once, each with limits of its own: the one that comes second is told that it exists.
    if (!isApiError(error, STREAM_NAME_IN_USE)) throw error;
    return (await jsm.streams.info(name)).config;
  }
}

/** Creates the four lanes of a type. An existing lane is left alone: recreating one would deliver held work again. */
export async function ensureLanes(bus: Bus, type: string): Promise<void> {
  const jsm = await managerOf(bus);
  for (const priority of PRIORITIES) {
    const config = {
      durable_name: laneName(type, priority),
      filter_subject: bus.names.subjects.work(type, priority, '*'),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(LEASE_MS),
      // Attempts are counted from records; the broker's own limit would strand the message.
      max_deliver: -1,
      max_ack_pending: -1,
      max_waiting: 2048,
    };
    await jsm.consumers.add(bus.names.streams.kanban, config).catch((error: unknown) => {
      if (!CONSUMER_EXISTS.some((code) => isApiError(error, code))) throw error;
    });
  }
}

/** Deletes the four lanes of a type. Its messages stay in the stream, and no pull delivers them until the lanes are back. */
export async function deleteLanes(bus: Bus, type: string): Promise<void> {
  const jsm = await managerOf(bus);
  for (const priority of PRIORITIES) {
    const deleted = jsm.consumers.delete(bus.names.streams.kanban, laneName(type, priority));
    await deleted.catch((error: unknown) => {
      if (!isApiError(error, CONSUMER_NOT_FOUND)) throw error;
    });
  }
}

/** The message a stream has at a sequence, or null when it has none (any more). */
export async function messageAt(bus: Bus, stream: string, seq: number): Promise<StoredMsg | null> {
  const jsm = await managerOf(bus);
  const direct = await jsm.direct.getMessage(stream, { seq });
  if (direct) return direct;
  try {
    // Any replica answers a direct get, also one that lags: only the leader knows that a message is gone.
    return await jsm.streams.getMessage(stream, { seq });
  } catch (error) {
    if (isApiError(error, MESSAGE_NOT_FOUND)) return null;
    throw error;
  }
}

/** The broker has no stream of this name: it never existed, was deleted, or went with the store. */
export function isMissingStream(error: unknown): boolean {
  return isApiError(error, STREAM_NOT_FOUND);
}
