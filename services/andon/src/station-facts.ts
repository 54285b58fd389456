import type { AndonCall, LostState, ServiceName } from '@tps/contracts';
import type { BlockedWorker } from './blocked-workers';

/** The facts that the rules assess: one service at one moment. */
export interface StationFacts {
  service: ServiceName;
  up: boolean;
  /** Ready processes. */
  replicas: number;
  /** Long enough here to have heard from everyone who lives. */
  settled: boolean;
  /** Processes that beat and are not ready. */
  unready: number;
  /** Processes that fell silent without a farewell, and in whose place none has come. */
  lost: number;
  /** kanban: how full the stream of dead letters is, in percent. */
  dead_percent: number;
  /** andon: why the records reach back less than was promised. */
  records_short?: string;
  /** Of kanban: why the queue takes no signals, while nothing else takes them either. */
  refuses?: string;
  /** Of kanban: streams and buckets that NATS lost within the last ten minutes. */
  lost_state?: readonly LostState[];
  /** Of kanban: signals go to the backup, or wait there although the queue could take them. */
  backup?: { active: boolean; waiting: number };
  /** Worker processes whose event loop a handler blocks. */
  blocked?: readonly BlockedWorker[];
  call?: AndonCall;
}
