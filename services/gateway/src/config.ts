import { Type } from '@sinclair/typebox';
import { type CommonConfig, ConfigError, type ConfigOf, fleetVariables } from '@tps/service';

export const gatewayVariables = {
  HTTP_PORT: Type.Integer({
    default: 8080,
    minimum: 0,
    maximum: 65_535,
    description: 'the HTTP API; 0: any free port',
  }),
  AUTH_ENABLED: Type.Boolean({ default: false, description: 'ask every client for `AUTH_TOKEN`' }),
  AUTH_TOKEN: Type.String({ default: '', description: 'what clients send as `Authorization: Bearer ...`' }),
  RATE_LIMIT: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 1_000_000_000,
    description: 'requests per minute and client at one gateway; 0: no limit',
  }),
  TRUSTED_PROXIES: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 10,
    description: 'reverse proxies in front, whose `X-Forwarded-For` entries tell clients apart',
  }),
  // Shown by `/info`; others act on them.
  ...fleetVariables,
};

export type GatewayConfig = ConfigOf<typeof gatewayVariables> & CommonConfig;

/** @throws ConfigError for values that are fine each but not together */
export function checkConfig(config: GatewayConfig): void {
  if (config.AUTH_ENABLED && !config.AUTH_TOKEN) {
    throw new ConfigError('AUTH_TOKEN= is not allowed: must be a token while AUTH_ENABLED is `true`');
  }
}
