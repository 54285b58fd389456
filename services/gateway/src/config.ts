import { Type } from '@sinclair/typebox';
import { backupVariables } from '@tps/backup';
import { type CommonConfig, ConfigError, type ConfigOf, fleetVariables } from '@tps/service';
import { tlsOptions } from './tls';
import { parseTokens } from './tokens';

export const gatewayVariables = {
  HTTP_PORT: Type.Integer({
    default: 8080,
    minimum: 0,
    maximum: 65_535,
    description: 'the HTTP API; 0: any free port',
  }),
  AUTH_ENABLED: Type.Boolean({ default: false, description: 'ask everyone for a token' }),
  AUTH_TOKEN: Type.String({
    default: '',
    secret: true,
    description:
      'what clients send as `Authorization: Bearer ...`; several, as when they are rotated: `[client:]token,...`',
  }),
  OPERATOR_TOKEN: Type.String({
    default: '',
    secret: true,
    description: 'the same for operators, who alone may resume lines, cancel, redrive, purge and set limits',
  }),
  SSL_ENABLED: Type.Boolean({ default: false, description: 'serve HTTPS, and nothing else, on `HTTP_PORT`' }),
  SSL_CERT_PATH: Type.String({
    default: '',
    description: 'certificate with its chain (PEM); renewed files are taken within seconds',
  }),
  SSL_KEY_PATH: Type.String({ default: '', description: 'key of the certificate (PEM)' }),
  RATE_LIMIT: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 1_000_000_000,
    description: 'requests per minute and client (by token, else by address) at one gateway; 0: no limit',
  }),
  TRUSTED_PROXIES: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 10,
    description: 'reverse proxies in front, whose `X-Forwarded-For` entries tell clients apart',
  }),
  TPS_TRACES_URL: Type.String({
    default: '',
    pattern: '^(https?://\\S+)?$',
    description:
      'where people look at traces, for the links of the board: the page of a Jaeger, or any address with `{trace_id}` in it; empty: ids are shown to copy',
  }),
  ...backupVariables,
  // Shown by `/info`; others act on them. Here the buffer limits the backup too.
  ...fleetVariables,
};

export type GatewayConfig = ConfigOf<typeof gatewayVariables> & CommonConfig;

/** @throws ConfigError for values that are fine each but not together */
export function checkConfig(config: GatewayConfig): void {
  const [clients, operators] = (['AUTH_TOKEN', 'OPERATOR_TOKEN'] as const).map((variable) => {
    const tokens = parseTokens(config[variable]);
    if (tokens) return tokens;
    const form = '`[client:]token,...`, tokens of visible characters without commas and colons';
    throw new ConfigError(`${variable}=*** is not allowed: must be ${form}`);
  });
  if (config.AUTH_ENABLED && clients!.length + operators!.length === 0) {
    throw new ConfigError('AUTH_TOKEN= is not allowed: must be a token while AUTH_ENABLED is `true`');
  }
  const shared = operators!.some((operator) => clients!.some(({ secret }) => secret === operator.secret));
  if (shared) throw new ConfigError('OPERATOR_TOKEN=*** is not allowed: must differ from AUTH_TOKEN');
  // Read again when the server starts; told here, before anything else begins.
  tlsOptions(config);
}

/** The address of one trace, with `{trace_id}` in the place of its id. */
export function tracesUrl(url: string): string {
  return url.includes('{trace_id}') ? url : `${url.replace(/\/$/, '')}/trace/{trace_id}`;
}
