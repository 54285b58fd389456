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
    description: 'port of the HTTP API; 0 picks a free one',
  }),
  AUTH_ENABLED: Type.Boolean({ default: false, description: 'requires a token from every client' }),
  AUTH_TOKEN: Type.String({
    default: '',
    secret: true,
    description:
      'tokens that clients send as `Authorization: Bearer ...`, in the form `[client:]token,...`; list the old and the new one to rotate',
  }),
  OPERATOR_TOKEN: Type.String({
    default: '',
    secret: true,
    description:
      'tokens of operators, in the same form; only operators may resume lines, cancel, redrive, purge, set limits and retire types',
  }),
  SSL_ENABLED: Type.Boolean({ default: false, description: 'serves HTTPS instead of HTTP on `HTTP_PORT`' }),
  SSL_CERT_PATH: Type.String({
    default: '',
    description: 'certificate with its chain (PEM); the gateway loads renewed files within seconds',
  }),
  SSL_KEY_PATH: Type.String({ default: '', description: 'private key of the certificate (PEM)' }),
  RATE_LIMIT: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 1_000_000_000,
    description:
      'requests per minute that one gateway accepts from a client (by token, otherwise by address); 0 means no limit',
  }),
  TRUSTED_PROXIES: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 10,
    description:
      'number of reverse proxies in front of the gateway; it reads the client address from their `X-Forwarded-For` entries',
  }),
  TPS_TRACES_URL: Type.String({
    default: '',
    pattern: '^(https?://\\S+)?$',
    format: 'url',
    form: 'a URL with `http://` or `https://`',
    examples: ['http://localhost:16686', 'https://traces.example.com/find/{trace_id}'],
    description:
      'target of the trace links on the board: the address of a Jaeger page, or any address with `{trace_id}` in it; empty shows trace ids to copy',
  }),
  ...backupVariables,
  // `/info` shows these; other services act on them. In the gateway the buffer also bounds the backup.
  ...fleetVariables,
};

export type GatewayConfig = ConfigOf<typeof gatewayVariables> & CommonConfig;

/** @throws ConfigError when values contradict one another */
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
  // The server reads the files again when it starts; checking here fails before anything else begins.
  tlsOptions(config);
}

/** The address of one trace, with `{trace_id}` in the place of its id. */
export function tracesUrl(url: string): string {
  return url.includes('{trace_id}') ? url : `${url.replace(/\/$/, '')}/trace/{trace_id}`;
}
