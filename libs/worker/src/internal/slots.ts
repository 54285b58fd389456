import type { InFlightSignal } from './in-flight-signal';
import type { Overruns } from './overruns';
import type { Prefetch } from './prefetch';

/**
 * The slots of a worker process. A slot is taken until its handler has ended, even if the attempt was ended before that;
 * the recording of the outcome needs no slot.
 */
export class Slots {
  /** The signals that are in a slot, with the expected time of each. */
  private readonly running = new Map<InFlightSignal, number>();

  /** @param onFree called when a slot is free again, with the type of the signal whose handler has ended late */
  constructor(
    readonly size: number,
    private readonly prefetch: Prefetch,
    private readonly overruns: Overruns,
    private readonly onFree: (overrunType?: string) => void,
  ) {}

  /** Slots that are taken. */
  get busy(): number {
    return this.running.size + this.overruns.size;
  }

  /** Signals whose attempt has not ended. */
  signals(): InFlightSignal[] {
    return [...this.running.keys()];
  }

  take(inFlight: InFlightSignal): void {
    this.running.set(inFlight, this.prefetch.start(inFlight.signal.signal_type));
  }

  /** Notes how long a handler took. */
  observe({ signal, processMs = 0 }: InFlightSignal): void {
    this.prefetch.observe(signal.signal_type, processMs);
  }

  /** The attempt has ended. The slot is free now, or when the handler has ended, too. */
  leave(inFlight: InFlightSignal): void {
    const expectedMs = this.running.get(inFlight) ?? 0;
    this.running.delete(inFlight);
    const { overrun, signal, definition } = inFlight;
    if (!overrun) return this.free(expectedMs);
    const { id: signalId, signal_type: type } = signal;
    const { timeoutMs } = definition;
    this.overruns.add({ type, signalId, timeoutMs, sinceMs: performance.now() }, overrun, () => {
      inFlight.overrun = undefined;
      this.free(expectedMs, type);
    });
  }

  private free(expectedMs: number, overrunType?: string): void {
    this.prefetch.finish(expectedMs);
    this.onFree(overrunType);
  }
}
