import type { BlockedLoop } from '@tps/contracts';
import type { FleetView } from '@tps/fleet';
import type { LightRule } from './assessment';

/** A worker process whose event loop a handler blocks, or has just blocked. */
export interface BlockedWorker extends BlockedLoop {
  instance: string;
}

export function blockedWorkers(fleet: Pick<FleetView, 'of'>): BlockedWorker[] {
  return fleet.of('worker').flatMap(({ instance, vitals }) => {
    return vitals.blocked ? [{ instance, ...vitals.blocked }] : [];
  });
}

/** Tells people which handler keeps all other signals of its process from going on. */
export const BLOCKED: LightRule<{ blocked?: readonly BlockedWorker[] }> = {
  rule: 'blocked',
  yellow: 'a handler blocks the event loop of its worker process, or did so in the last 10 seconds',
  first:
    'Read the log of the worker that the reason names: the line has the stack of the handler. No other signal of the ' +
    'process goes on meanwhile; nothing is lost or run twice before the time-out of the handler. Let it wait for what it ' +
    'does, or move the work to a thread (docs/extending.md).',
  assess: ({ blocked = [] }) =>
    blocked.length > 0 ? { colour: 'YELLOW', reason: blocked.map(inWords).join('; ') } : undefined,
};

function inWords({ instance, ms, signal_type, signal_id, types, ended }: BlockedWorker): string {
  const who = signal_type ?? (types.length > 0 ? `one of ${types.join(', ')}` : 'code outside of handlers');
  const seconds = Number((ms / 1_000).toFixed(1));
  const signal = signal_id === undefined ? '' : `, signal ${signal_id}`;
  return `${instance}: ${who} ${ended ? 'blocked' : 'blocks'} the event loop for ${seconds} s${signal}`;
}
