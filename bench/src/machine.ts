import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { figure } from './report';
import { ENV_FILE } from './settings';

/**
 * Describes the machine of a measurement, with reasons to doubt its figures.
 * @param busy the load average before the measurement
 */
export function describeMachine(broker: string, busy: number): string {
  const cores = cpus();
  return [
    `${cores.length} x ${cores[0]?.model}, Node ${process.versions.node}, ${broker}, load ${figure(busy)} before`,
    ...(busy > cores.length / 2 ? ['! The machine was busy before: trust only the ratios.'] : []),
    ...(existsSync(ENV_FILE) ? ['! .env applies, except for ports, brokers and limits.'] : []),
  ].join('\n');
}
