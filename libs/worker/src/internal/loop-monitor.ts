import { url as debuggerUrl } from 'node:inspector';
import { join } from 'node:path';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { type BlockedLoop, METRICS, parseRequest, type RequestOf, telemetryName } from '@tps/contracts';
import { natsAccess, type ServiceContext } from '@tps/service';
import { Counter } from 'prom-client';
import type { WorkerConfig } from '../worker-setup';
import { lookMs } from './block-watch';
import { LeaseTable } from './lease-table';
import type { MonitorNote, MonitorSetup } from './monitor-messages';

/** Works from `src/internal` (jest) and from `dist/internal`, because a thread loads plain JavaScript only. */
const THREAD = join(__dirname, '..', '..', 'dist', 'internal', 'monitor-thread.js');
/** Room for signals beyond the slots: fetched ahead, or finished and not recorded yet. */
const BEYOND_SLOTS = 1_024;
const MEMORY = { maxOldGenerationSizeMb: 48, maxYoungGenerationSizeMb: 2 };
const RESTART_MS = 60_000;
/** A block is shown for this long after its end, or nobody would see the short ones. */
const SHOWN_MS = 10_000;
const UNKNOWN_TYPE = '?';
const LEVELS_WITHOUT_WARNINGS = ['error'];

/**
 * Protects the signals of this process from a handler that blocks the event loop, when the main thread can neither renew
 * leases nor send heartbeats. A thread notices the missing beats and speaks for the main thread (`monitor-thread.ts`).
 * Without the thread everything works, except during a block.
 */
export class LoopMonitor {
  readonly table: LeaseTable;
  private readonly blockedSeconds: Counter<string>;
  private readonly beats: NodeJS.Timeout;
  private thread: Worker | undefined;
  private port: MessagePort | undefined;
  private restart: NodeJS.Timeout | undefined;
  private notesRead = 0;
  private last: { block: BlockedLoop; readMs: number } | undefined;
  private closed = false;
  private blockRequests: (request: RequestOf<'workerInFlight'>) => void = () => undefined;

  constructor(
    private readonly context: ServiceContext<WorkerConfig>,
    private readonly types: string[],
    leaseMs: number,
  ) {
    this.table = LeaseTable.ofCapacity(context.config.TPS_NUM_WORKERS + BEYOND_SLOTS);
    this.table.leaseMs = leaseMs;
    this.blockedSeconds = new Counter({ ...METRICS.blockedSeconds, registers: [context.registry] });
    this.beats = setInterval(() => this.beat(), lookMs(leaseMs)).unref();
    this.start();
  }

  /** A block that ended a moment ago, for the heartbeats. */
  get recent(): BlockedLoop | undefined {
    if (this.last && performance.now() - this.last.readMs > SHOWN_MS) this.last = undefined;
    return this.last?.block;
  }

  /** Calls the listener before another signal is opened, with each request to block a signal that came meanwhile. */
  onBlockRequest(listener: (request: RequestOf<'workerInFlight'>) => void): void {
    this.blockRequests = listener;
  }

  /** Hands a heartbeat to the thread, which repeats it during a block. */
  onHeartbeat(heartbeat: string): void {
    this.port?.postMessage(heartbeat);
  }

  /** Reads the notes that the thread left during a block. There are almost never any. */
  readNotes(): void {
    const { notes } = this.table;
    if (notes === this.notesRead) return;
    this.notesRead = notes;
    while (this.port) {
      const received = receiveMessageOnPort(this.port) as { message: MonitorNote } | undefined;
      if (!received) return;
      this.take(received.message);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.beats);
    clearTimeout(this.restart);
    this.port?.close();
    await this.thread?.terminate();
  }

  private beat(): void {
    this.table.beat(debuggerUrl() !== undefined);
    this.readNotes();
  }

  private take(note: MonitorNote): void {
    if (note.kind === 'refuse') return this.refuse(note.request);
    const { block } = note;
    this.last = { block, readMs: performance.now() };
    this.blockedSeconds.inc({ signal_type: block.signal_type ?? UNKNOWN_TYPE }, block.ms / 1_000);
  }

  private start(): void {
    const { port1, port2 } = new MessageChannel();
    const thread = new Worker(THREAD, {
      workerData: this.setupOf(port2),
      transferList: [port2],
      resourceLimits: MEMORY,
      execArgv: [],
      env: {},
    });
    this.thread = thread;
    this.port = port1;
    // Neither may keep the process alive.
    thread.unref();
    port1.unref();
    thread.once('error', (error) => {
      const { log } = this.context;
      log.error('the monitor of the event loop failed: a handler that blocks would lose its leases', {
        error,
      });
    });
    thread.once('exit', () => this.onExit());
  }

  private onExit(): void {
    this.port?.close();
    this.port = undefined;
    if (!this.closed) this.restart = setTimeout(() => this.start(), RESTART_MS).unref();
  }

  private setupOf(port: MessagePort): MonitorSetup {
    const { bus, config, instance, service } = this.context;
    const { heartbeat, workerInFlight, workerBlock } = bus.names.subjects;
    const name = telemetryName(service);
    return {
      memory: this.table.memory,
      port,
      proxy: {
        ...natsAccess(service, config),
        instance,
        types: this.types,
        owner: service,
        name: `${name} ${instance} while a handler blocks`,
        subjects: { heartbeat: heartbeat(service), workerInFlight, workerBlock },
      },
      service: name,
      logsWarnings: !LEVELS_WITHOUT_WARNINGS.includes(config.LOG_LEVEL),
      livenessFile: config.TPS_LIVENESS_FILE,
    };
  }

  private refuse(data: Uint8Array): void {
    const text = Buffer.from(data).toString();
    try {
      this.blockRequests(parseRequest('workerBlock', { data, json: () => JSON.parse(text) as unknown }));
    } catch (error) {
      this.context.log.error('request failed', { endpoint: 'refuse', error });
    }
  }
}
