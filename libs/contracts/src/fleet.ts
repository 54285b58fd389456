/** The seven services, in the order a signal meets them. A service's span and log name is `tps-<name>`. */
export const SERVICES = ['gateway', 'jidoka', 'kanban', 'worker', 'andon', 'kaizen', 'heijunka'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** The `service.name` of a service in traces, logs and metrics: the gateway is the system's face. */
export function telemetryName(service: ServiceName): string {
  return service === 'gateway' ? 'tps-system' : `tps-${service}`;
}

/** The one span each service adds to a signal's trace. */
export const SPANS: Record<ServiceName, string> = {
  gateway: 'process_signal',
  jidoka: 'jidoka.admit',
  kanban: 'kanban.enqueue',
  worker: 'worker.process',
  andon: 'andon.record',
  kaizen: 'kaizen.record',
  heijunka: 'heijunka.level',
};

/** Version of every message and stored value; readers take this one and the one before. */
export const WIRE_VERSION = 1;

/** A message as it goes out: JSON, with its version. */
export function encode(message: object): string {
  return JSON.stringify({ v: WIRE_VERSION, ...message });
}
