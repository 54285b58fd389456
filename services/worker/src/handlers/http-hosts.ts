import { TransientError } from '@tps/worker';
import CircuitBreaker from 'opossum';
import { Gauge, type Registry } from 'prom-client';
import { METRICS } from '@tps/contracts';
import type { HttpAnswer } from './http-answer';
import { deliver, type Delivery } from './http-delivery';
import { Places } from './places';

export interface HttpHostsOptions {
  /** Slots of this worker process. One host gets most of them at once, never all. */
  slots: number;
  registry: Registry;
  onCircuit: (host: string, state: HostState) => void;
}
export type HostState = 'Closed' | 'HalfOpen' | 'Open';

/** Delay of attempts that are refused because their host fails. */
export const RESET_MS = 10_000;
const BREAKER = {
  // The delivery has its own limit.
  timeout: false,
  errorThresholdPercentage: 50,
  volumeThreshold: 5,
  resetTimeout: RESET_MS,
  rollingPercentilesEnabled: false,
  enableSnapshots: false,
  // A rejection of the signal, and a signal that runs out of its own time, are no failures of the host.
  errorFilter: (error: unknown) => !(error instanceof TransientError),
} as const;
/** A signal waits this long for a place at its host, in its slot. */
const WAIT_MS = 250;
const STATE_CODES: Record<HostState, number> = { Closed: 0, Open: 1, HalfOpen: 2 };

interface Host {
  breaker: CircuitBreaker<[Delivery], HttpAnswer>;
  places: Places;
}

/** Keeps a circuit for each host, and bounds the deliveries to it. */
export class HttpHosts {
  /** By `host:port`. Only allowed hosts get one, so there are at most two for each entry of the list. */
  private readonly hosts = new Map<string, Host>();

  constructor(private readonly options: HttpHostsOptions) {
    const states = (): Map<string, HostState> => this.states();
    new Gauge({
      ...METRICS.httpHostCircuitState,
      registers: [options.registry],
      collect() {
        for (const [host, state] of states()) this.set({ host }, STATE_CODES[state]);
      },
    });
  }

  /**
   * @param trial calls the host whatever its circuit says, because a trial must find out whether it works again
   * @throws CapacityError while the host has the maximum number of deliveries
   */
  deliver(delivery: Delivery, trial: boolean): Promise<HttpAnswer> {
    const { breaker, places } = this.of(delivery.request.host);
    return places.use(async () => {
      if (!trial || breaker.closed) return breaker.fire(delivery);
      const answer = await deliver(delivery);
      breaker.close();
      return answer;
    });
  }

  /** Hosts whose circuit is not closed. */
  failing(): string[] {
    return [...this.states()].filter(([, state]) => state !== 'Closed').map(([host]) => host);
  }

  close(): void {
    for (const { breaker } of this.hosts.values()) breaker.shutdown();
  }

  private states(): Map<string, HostState> {
    return new Map([...this.hosts].map(([host, { breaker }]) => [host, stateOf(breaker)]));
  }

  private of(name: string): Host {
    const known = this.hosts.get(name);
    if (known) return known;
    // A copy, because opossum writes into its options.
    const breaker = new CircuitBreaker(deliver, { ...BREAKER });
    for (const event of ['open', 'halfOpen', 'close'] as const) {
      breaker.on(event as 'open', () => this.options.onCircuit(name, stateOf(breaker)));
    }
    const { slots } = this.options;
    const places = Math.max(1, slots - Math.ceil(slots / 4));
    const host = { breaker, places: new Places(name, { places, queue: slots, waitMs: WAIT_MS }) };
    this.hosts.set(name, host);
    return host;
  }
}

function stateOf({ opened, halfOpen }: Host['breaker']): HostState {
  if (opened) return 'Open';
  return halfOpen ? 'HalfOpen' : 'Closed';
}
