import type { Server } from 'node:net';
import { ConfigError } from './config';

/** System errors for an address that no interface has, or of a family that the machine does not support. */
const NOT_OURS = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL']);

/**
 * Opens a port on the address of `TPS_BIND`; on all addresses if it is empty.
 * @throws ConfigError when this machine does not have the address
 */
export async function listen(
  server: Server,
  port: number,
  { TPS_BIND: host }: { TPS_BIND: string },
): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, ...(host ? { host } : {}) }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!host || !NOT_OURS.has(code)) throw error;
    throw new ConfigError(`TPS_BIND=${host} is not allowed: must be an address of this machine (${code})`);
  }
}
