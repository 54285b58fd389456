import { unwatchFile, watchFile } from 'node:fs';
import type { Server } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ConfigError, readConfigFile } from '@tps/service';
import type { Logger } from '@tps/telemetry';

export interface TlsConfig {
  SSL_ENABLED: boolean;
  SSL_CERT_PATH: string;
  SSL_KEY_PATH: string;
}

/** Certificates live for weeks and are renewed days before their end. */
const CHECK_MS = 10_000;
const PATHS = ['SSL_CERT_PATH', 'SSL_KEY_PATH'] as const;

/**
 * The options of the HTTPS server, or null while `SSL_ENABLED` is off.
 * @throws ConfigError when the files cannot be used
 */
export function tlsOptions(config: TlsConfig): SecureContextOptions | null {
  if (!config.SSL_ENABLED) return null;
  for (const variable of PATHS) {
    if (config[variable]) continue;
    throw new ConfigError(`${variable}= is not allowed: must be a file while SSL_ENABLED is \`true\``);
  }
  return load(config);
}

/** Serves a renewed certificate without a restart, until the server is closed. */
export function followCertificate(config: TlsConfig, server: Server, log: Logger): void {
  const renew = (): void => {
    try {
      server.setSecureContext(load(config));
      log.info('certificate renewed');
    } catch (error) {
      // Also between the writing of the one file and of the other: the second change comes here as well.
      log.warn('the changed certificate cannot be used; the one before still is', { error });
    }
  };
  // By path and not by inode: orchestrators change links.
  for (const variable of PATHS) watchFile(config[variable], { interval: CHECK_MS, persistent: false }, renew);
  server.once('close', () => PATHS.forEach((variable) => unwatchFile(config[variable], renew)));
}

function load(config: TlsConfig): SecureContextOptions {
  const [cert, key] = PATHS.map((variable) => readConfigFile(variable, config[variable]));
  const options = { cert: cert!, key: key!, minVersion: 'TLSv1.2' } as const;
  try {
    createSecureContext(options);
  } catch (error) {
    const files = PATHS.map((variable) => `${variable}=${config[variable]}`).join(' with ');
    throw new ConfigError(
      `${files} is not allowed: must be a PEM certificate and its key (${String(error)})`,
    );
  }
  return options;
}
