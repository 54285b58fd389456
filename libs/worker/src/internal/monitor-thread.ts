/** Runs in a thread of every worker process, beside the main thread, which handlers share and may block. */
import { writeFileSync, writeSync } from 'node:fs';
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { BlockedLoop } from '@tps/contracts';
import { type Block, BlockTeller, BlockWatch, lookMs, TOLD_MS } from './block-watch';
import { LeaseTable } from './lease-table';
import type { MainThreadProxy } from './main-thread-proxy';
import type { MonitorNote, MonitorSetup } from './monitor-messages';

/** A log line lists at most this many of the other signals. */
const OTHERS_SHOWN = 20;
const STDOUT = 1;
/** On a busy machine, a shorter lease could end while the modules of the proxy load. */
const SHORT_LEASE_MS = 5_000;
const BLOCKED = 'a handler blocks the event loop: no other signal of this process goes on';
const BLOCKED_BY_OTHERS = 'the event loop is blocked, and no handler was started that could be the cause';

/** Watches the main thread, and speaks for it while a handler blocks it. */
class Monitor {
  private readonly table: LeaseTable;
  private readonly watch = new BlockWatch();
  private readonly teller = new BlockTeller();
  /** Loaded at the first block, because few processes ever need its modules, which take 8 MB. */
  private proxy: MainThreadProxy | undefined;
  private loading: Promise<void> | undefined;
  private heartbeat: string | undefined;
  private block: Block | undefined;
  private hasLetGo = false;

  constructor(private readonly setup: MonitorSetup) {
    this.table = new LeaseTable(setup.memory);
  }

  begin(): void {
    if (this.table.leaseMs < SHORT_LEASE_MS) this.loading = this.load();
    this.run();
  }

  private run(): void {
    this.look(performance.now());
    setTimeout(() => this.run(), lookMs(this.table.leaseMs));
  }

  private look(nowMs: number): void {
    this.readHeartbeat();
    const { table, watch } = this;
    const now = { nowMs, leaseMs: table.leaseMs, beats: table.beats };
    const phase = watch.look(now, () => ({
      running: table.running(),
      signals: table.signals(),
      dateMs: Date.now(),
    }));
    if (phase === 'turning') {
      if (this.block) this.end(this.block, nowMs);
      this.proxy?.rest(nowMs);
      return;
    }
    const block = (this.block = watch.block as Block);
    if (phase === 'let_go') this.proxy?.rest(nowMs);
    else this.speak(block, nowMs);
    if (nowMs - block.sinceMs >= TOLD_MS) this.tell(block, nowMs);
    if (phase === 'let_go') this.tellLetGo(block, nowMs);
  }

  /** Keeps the last heartbeat. */
  private readHeartbeat(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.setup.port) as { message: string } | undefined;
      if (!received) return;
      this.heartbeat = received.message;
    }
  }

  private speak(block: Block, nowMs: number): void {
    this.loading ??= this.load();
    this.proxy?.act(nowMs);
    if (nowMs - block.sinceMs < TOLD_MS) return;
    if (this.heartbeat) this.proxy?.sendHeartbeat(this.heartbeat, reportOf(block, nowMs), nowMs);
    // Its age tells the supervisor and the probes that this thread is alive.
    if (this.setup.livenessFile) writeFileSync(this.setup.livenessFile, String(process.pid));
  }

  private async load(): Promise<void> {
    const { MainThreadProxy } = await import('./main-thread-proxy.js');
    this.proxy = new MainThreadProxy(this.table, this.setup.proxy, (note) => this.post(note));
  }

  private post(note: MonitorNote): void {
    this.setup.port.postMessage(note);
    this.table.countNote();
  }

  private tell(block: Block, nowMs: number): void {
    const unsaid = this.teller.tell(block, nowMs);
    if (unsaid === null) return;
    void this.stack().then((stack) => {
      this.write('warn', block.isOfHandler ? BLOCKED : BLOCKED_BY_OTHERS, {
        ...named(block),
        blocked_ms: Math.round(nowMs - block.sinceMs),
        others: block.others.slice(0, OTHERS_SHOWN).map(({ id, type }) => `${type} ${id}`),
        ...(block.isOfHandler ? { leases_renewed_ms: Math.round(block.untilMs - nowMs) } : {}),
        ...(stack ? { stack } : {}),
        ...(unsaid > 0 ? { unsaid } : {}),
      });
    });
  }

  private async stack(): Promise<string[] | undefined> {
    if (this.table.isDebugged) return undefined;
    const { stackOfMainThread } = await import('./block-stack.js');
    return stackOfMainThread();
  }

  private tellLetGo(block: Block, nowMs: number): void {
    if (this.hasLetGo || !block.isOfHandler) return;
    this.hasLetGo = true;
    this.write(
      'error',
      'the event loop is blocked for longer than a handler may take: leases are not renewed',
      {
        ...named(block),
        blocked_ms: Math.round(nowMs - block.sinceMs),
      },
    );
  }

  private end(block: Block, nowMs: number): void {
    this.block = undefined;
    this.hasLetGo = false;
    if (nowMs - block.sinceMs < TOLD_MS) return;
    const report: BlockedLoop = { ...reportOf(block, nowMs), ended: true };
    this.post({ kind: 'block', block: report });
    if (this.teller.tellsEnd(block))
      this.write('warn', 'the event loop turns again', { ...named(block), blocked_ms: report.ms });
  }

  /** Writes a line in the form of the logger, which the main thread owns. */
  private write(level: 'warn' | 'error', message: string, fields: object): void {
    if (level === 'warn' && !this.setup.logsWarnings) return;
    const { service, proxy } = this.setup;
    const { instance } = proxy;
    const line = { level, message, service, instance, ...fields, timestamp: new Date().toISOString() };
    try {
      writeSync(STDOUT, `${JSON.stringify(line)}\n`);
    } catch {
      // The reader of the log is slow or gone, so the main thread's lines are lost as well.
    }
  }
}

function named({ signal }: Block): { signal_type?: string; signal_id?: string } {
  return signal ? { signal_type: signal.type, signal_id: signal.id } : {};
}

function reportOf(block: Block, nowMs: number): BlockedLoop {
  const started = block.signal ? [block.signal, ...block.others] : block.others;
  const types = [...new Set(started.map(({ type }) => type))];
  return { ms: Math.round(nowMs - block.sinceMs), ...named(block), types };
}

new Monitor(workerData as MonitorSetup).begin();
