import { isIP, isIPv6 } from 'node:net';
import { LocalRuntimeError } from './errors';
import type { Env } from './settings';

const LOOPBACK = '127.0.0.1';
const ALL = ['0.0.0.0', '::'];

/** The address on which a port listens, and the one by which this machine reaches it, as a URL has it. */
export interface Bind {
  readonly address: string;
  readonly host: string;
}

/** The address of the HTTP API and the metrics ports. */
export function readBind(env: Env): Bind {
  const address = env['TPS_BIND']?.trim() || LOOPBACK;
  if (isIP(address) !== 0) return { address, host: hostOf(address) };
  throw new LocalRuntimeError(
    `TPS_BIND is "${address}": it must be an IP address of this machine, for example ${LOOPBACK} (the default), ::1, or 0.0.0.0 for all of them.`,
  );
}

/** The address of the nats-server that is started here. It asks for no password, so that it has a variable of its own. */
export function readNatsBind(env: Env): string {
  const address = env['TPS_NATS_BIND']?.trim() || LOOPBACK;
  if (address === LOOPBACK || ALL.includes(address)) return inUrl(address);
  throw new LocalRuntimeError(
    `TPS_NATS_BIND is "${address}": it must be ${LOOPBACK} (the default), or 0.0.0.0 or :: for all addresses of this machine.`,
  );
}

function hostOf(address: string): string {
  return ALL.includes(address) ? LOOPBACK : inUrl(address);
}

function inUrl(address: string): string {
  return isIPv6(address) ? `[${address}]` : address;
}
