import { nanos } from '@nats-io/transport-node';
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  jetstreamManager,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  StoreCompression,
  type StoredMsg,
  type StreamConfig,
} from '@nats-io/jetstream';
import { laneName, LEASE_MS, type Names, PRIORITIES } from '@tps/contracts';
import { isApiError } from './api-error';
import type { Bus } from './connect';
import { raiseCopies } from './copies';
import { assertCopies, placed } from './placement';

/** A stream, by its key in `Names`. */
export type StreamName = keyof Names['streams'];

/** The settings of a stream that depend on the configuration. */
export interface StreamSettings {
  /** Copies of every stream and bucket (`TPS_NATS_REPLICAS`). */
  replicas: number;
  /** `max_msgs` of KANBAN, the hard limit of accepted, unfinished signals. Default: 1,100. */
  kanbanMaxMessages?: number;
  /** `max_age` of OUTCOMES in milliseconds. Default: 24 hours. */
  outcomesMaxAgeMs?: number;
  /** `max_bytes` of OUTCOMES. Default: 2 GiB. */
  outcomesMaxBytes?: number;
}

const HOUR_MS = 3_600_000;
/** Outcomes repeat each other's fields. Signals do not have to, and do not stay. */
const COMPRESSED = { compression: StoreCompression.S2 };
const GIB = 1024 ** 3;
const CONSUMER_EXISTS = [10013, 10148];
const CONSUMER_NOT_FOUND = 10014;
const STREAM_NOT_FOUND = 10059;
const STREAM_NAME_IN_USE = 10058;
const MESSAGE_NOT_FOUND = 10037;

function definition(bus: Bus, stream: StreamName, settings: StreamSettings): Partial<StreamConfig> {
  const root = `${bus.names.prefix}tps`;
  const common = { storage: StorageType.File, num_replicas: settings.replicas, allow_direct: true };
  switch (stream) {
    case 'kanban':
      return {
        ...common,
        subjects: [`${root}.kanban.*.*.*`],
        retention: RetentionPolicy.Workqueue,
        discard: DiscardPolicy.New,
        // With max_bytes or max_age the broker would delete accepted signals.
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
        ...(canCompress(bus) ? COMPRESSED : {}),
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

/** The client refuses to ask a server for compression that does not know it: before 2.10, or while the version is unknown. */
function canCompress({ nc }: Bus): boolean {
  const [major = 0, minor = 0] = (nc.info?.version ?? '').split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 10);
}

/** The client's manager of streams and consumers. Creating it costs no request. */
export function managerOf(bus: Bus, options: { timeout?: number } = {}): Promise<JetStreamManager> {
  return jetstreamManager(bus.nc, { ...options, checkAPI: false });
}

/**
 * Creates a stream if it is absent, raises its limits and copies if the settings ask for more, and compresses what is written
 * to the log of outcomes from now on. Only the owner of the stream calls it. It never lowers a limit, because the broker
 * would delete the messages above a lower `max_msgs`.
 */
export async function ensureStream(bus: Bus, stream: StreamName, settings: StreamSettings): Promise<void> {
  const { name, max_msgs, max_age, max_bytes, compression } = await createStream(bus, stream, settings);
  const { kanbanMaxMessages = 0, outcomesMaxAgeMs = 0, outcomesMaxBytes = 0 } = settings;
  // A stream without a limit (-1 or 0) needs no higher one.
  const raised = {
    ...(max_msgs > 0 && kanbanMaxMessages > max_msgs ? { max_msgs: kanbanMaxMessages } : {}),
    ...(max_age > 0 && nanos(outcomesMaxAgeMs) > max_age ? { max_age: nanos(outcomesMaxAgeMs) } : {}),
    ...(max_bytes > 0 && outcomesMaxBytes > max_bytes ? { max_bytes: outcomesMaxBytes } : {}),
    ...(stream === 'outcomes' && compression !== COMPRESSED.compression && canCompress(bus)
      ? COMPRESSED
      : {}),
  };
  if (Object.keys(raised).length > 0) await (await managerOf(bus)).streams.update(name, raised);
  await raiseCopies(bus, name, settings.replicas);
}

/** Creates a stream if it is absent, for a process that may start before the stream's owner. */
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
    return (await jsm.streams.add({ name, ...definition(bus, stream, settings) })).config;
  } catch (error) {
    // Another process with other limits may have created it at the same moment.
    if (!isApiError(error, STREAM_NAME_IN_USE)) throw error;
    return (await jsm.streams.info(name)).config;
  }
}

/**
 * Creates the four lanes of a type. An existing lane only gets the lease: recreating one would deliver signals in flight
 * again.
 */
export async function ensureLanes(bus: Bus, type: string, leaseMs: number = LEASE_MS.default): Promise<void> {
  const jsm = await managerOf(bus);
  for (const priority of PRIORITIES) {
    const config = {
      durable_name: laneName(type, priority),
      filter_subject: bus.names.subjects.work(type, priority, '*'),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(leaseMs),
      // Attempts are counted from records. A limit of the broker would leave the message without a lane.
      max_deliver: -1,
      max_ack_pending: -1,
      max_waiting: 2048,
    };
    const { kanban } = bus.names.streams;
    await jsm.consumers.add(kanban, config).catch(async (error: unknown) => {
      if (!CONSUMER_EXISTS.some((code) => isApiError(error, code))) throw error;
      await jsm.consumers.update(kanban, config.durable_name, { ack_wait: config.ack_wait });
    });
  }
}

/** Deletes the four lanes of a type. Its messages stay in the stream, but no pull delivers them without a lane. */
export async function deleteLanes(bus: Bus, type: string): Promise<void> {
  const jsm = await managerOf(bus);
  for (const priority of PRIORITIES) {
    const deleted = jsm.consumers.delete(bus.names.streams.kanban, laneName(type, priority));
    await deleted.catch((error: unknown) => {
      if (!isApiError(error, CONSUMER_NOT_FOUND)) throw error;
    });
  }
}

/** Reads the message of a stream at a sequence; null if there is none (any more). */
export async function messageAt(bus: Bus, stream: string, seq: number): Promise<StoredMsg | null> {
  const jsm = await managerOf(bus);
  const direct = await jsm.direct.getMessage(stream, { seq });
  if (direct) return direct;
  try {
    // A replica that lags may answer a direct get, so only the leader can tell that a message is gone.
    return await jsm.streams.getMessage(stream, { seq });
  } catch (error) {
    if (isApiError(error, MESSAGE_NOT_FOUND)) return null;
    throw error;
  }
}

/** Whether the broker has no stream of this name: it never existed, was deleted, or was lost with the store. */
export function isMissingStream(error: unknown): boolean {
  return isApiError(error, STREAM_NOT_FOUND);
}
