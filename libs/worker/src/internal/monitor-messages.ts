import type { MessagePort } from 'node:worker_threads';
import type { BusAccess } from '@tps/bus';
import type { BlockedLoop } from '@tps/contracts';

/** How the monitor's thread reaches NATS, and by which names. */
export interface ProxySetup {
  instance: string;
  /** Signal types that the worker serves. */
  types: string[];
  url: string;
  access: BusAccess;
  /** As in the broker's list of connections. */
  name: string;
  /** The owner of the inboxes. */
  owner: string;
  subjects: Record<'heartbeat' | 'workerInFlight' | 'workerBlock', string>;
}

/** The data that the monitor's thread starts with. */
export interface MonitorSetup {
  memory: SharedArrayBuffer;
  port: MessagePort;
  proxy: ProxySetup;
  service: string;
  logsWarnings: boolean;
  /** The file to touch while the thread speaks for the main thread; empty for none. */
  livenessFile: string;
}

/** A note from the thread to the main thread, which reads it when it turns again. */
export type MonitorNote =
  /** A request `workerBlock`, as it came. */
  { kind: 'refuse'; request: Uint8Array } | { kind: 'block'; block: BlockedLoop };
