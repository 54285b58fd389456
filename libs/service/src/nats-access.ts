import { type BusAccess, type CopiesChange, PlacementError } from '@tps/bus';
import type { ServiceName } from '@tps/contracts';
import type { Logger } from '@tps/telemetry';
import { type CommonConfig, ConfigError, readConfigFile } from './config';

const FILES = { caFile: 'NATS_CA_FILE', certFile: 'NATS_CERT_FILE', keyFile: 'NATS_KEY_FILE' } as const;

/**
 * Reads the URL of NATS and the credentials for it.
 * @throws ConfigError for values that contradict each other, and for files that cannot be read
 */
export function natsAccess(service: ServiceName, config: CommonConfig): { url: string; access: BusAccess } {
  const { NATS_URL: url, NATS_USER, NATS_PASSWORD, NATS_NKEY, NATS_CREDS } = config;
  const given = Object.entries({ NATS_PASSWORD, NATS_NKEY, NATS_CREDS }).filter(([, value]) => value);
  if (given.length > 1) {
    const names = given.map(([name]) => name).join(' and ');
    throw new ConfigError(`${names} are both set: set one of them`);
  }
  if (NATS_USER && !NATS_PASSWORD) {
    throw new ConfigError(`NATS_USER=${NATS_USER} is not allowed: must come with NATS_PASSWORD`);
  }
  const access: BusAccess = {};
  if (NATS_PASSWORD) Object.assign(access, { user: NATS_USER || service, password: NATS_PASSWORD });
  if (NATS_NKEY) access.nkey = NATS_NKEY;
  if (NATS_CREDS) access.creds = NATS_CREDS;
  const tls = tlsFiles(config);
  if (tls) access.tls = tls;
  return { url, access };
}

/**
 * Waits for a start that creates streams and buckets, and turns too few servers into a configuration error.
 * @throws ConfigError when NATS has too few servers for `TPS_NATS_REPLICAS`
 */
export async function placedBy<T>(
  { TPS_NATS_REPLICAS: copies }: CommonConfig,
  start: Promise<T>,
): Promise<T> {
  try {
    return await start;
  } catch (error) {
    if (!(error instanceof PlacementError)) throw error;
    const allowed = error.single
      ? '1, because NATS is a single server and no cluster'
      : 'at most the number of servers in the NATS cluster, which are fewer';
    throw new ConfigError(`TPS_NATS_REPLICAS=${copies} is not allowed: must be ${allowed}`);
  }
}

/** Logs one line for each stream whose copies differ from `TPS_NATS_REPLICAS`. */
export function logCopies(log: Logger, { stream, from, to, error }: CopiesChange): void {
  if (error !== undefined) log.warn('copies of a stream not raised', { stream, from, to, error });
  else if (from < to) log.info('copies of a stream raised', { stream, from, to });
  else log.info('a stream keeps more copies than TPS_NATS_REPLICAS', { stream, copies: from, replicas: to });
}

function tlsFiles(config: CommonConfig): BusAccess['tls'] {
  if (!config.NATS_CERT_FILE !== !config.NATS_KEY_FILE) {
    const [missing, set] = config.NATS_CERT_FILE
      ? (['NATS_KEY_FILE', 'NATS_CERT_FILE'] as const)
      : (['NATS_CERT_FILE', 'NATS_KEY_FILE'] as const);
    throw new ConfigError(`${missing}= is not allowed: must be a file while ${set} is set`);
  }
  const tls: NonNullable<BusAccess['tls']> = {};
  for (const [option, variable] of Object.entries(FILES) as [
    keyof typeof FILES,
    (typeof FILES)['caFile'],
  ][]) {
    const path = config[variable];
    if (!path) continue;
    readConfigFile(variable, path);
    tls[option] = path;
  }
  return Object.keys(tls).length > 0 ? tls : undefined;
}
