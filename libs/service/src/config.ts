import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type Static, type TProperties, type TSchema, Type } from '@sinclair/typebox';
import Ajv, { type ErrorObject } from 'ajv';
import { redactUrlList, redactUrls } from '@tps/telemetry';

/** A variable has a value that is not allowed. The message is one line: the variable, the value, what is allowed. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

const LEVELS = ['error', 'warn', 'info', 'debug'] as const;

/** Credentials with which a service and NATS prove their identity to each other. */
const natsAccessVariables = {
  NATS_USER: Type.String({
    default: '',
    description:
      'NATS user; empty takes the user in `NATS_URL`, or the name of the service if `NATS_PASSWORD` is set',
  }),
  NATS_PASSWORD: Type.String({ default: '', secret: true, description: 'password of `NATS_USER`' }),
  NATS_NKEY: Type.String({
    default: '',
    secret: true,
    pattern: '^(SU[A-Z2-7]+)?$',
    form: 'the seed of an nkey, which begins with `SU`',
    description: 'nkey, instead of a password',
  }),
  NATS_CREDS: Type.String({
    default: '',
    secret: true,
    description: 'credentials of a JWT user (the text of a `.creds` file), instead of a password',
  }),
  NATS_CA_FILE: Type.String({
    default: '',
    description:
      'CA certificates (PEM) to verify NATS with; this variable, or `tls://` in `NATS_URL`, makes TLS mandatory',
  }),
  NATS_CERT_FILE: Type.String({ default: '', description: 'client certificate for NATS (PEM)' }),
  NATS_KEY_FILE: Type.String({ default: '', description: 'private key of `NATS_CERT_FILE` (PEM)' }),
};

/** Variables of every service. A service adds its own in its `config.ts`. */
export const commonVariables = {
  NATS_URL: Type.String({
    default: 'nats://127.0.0.1:4222',
    secret: true,
    pattern: '^(nats|tls)://[^\\s,]+(,\\s*(nats|tls)://[^\\s,]+)*$',
    format: 'urls',
    form: '`nats://host:port` or `tls://host:port`, several separated by commas',
    examples: ['nats://127.0.0.1:4222'],
    description: 'NATS servers',
  }),
  ...natsAccessVariables,
  TPS_NATS_REPLICAS: Type.Integer({
    default: 1,
    minimum: 1,
    maximum: 5,
    description: 'number of copies of every stream and bucket',
  }),
  TPS_STREAM_PREFIX: Type.String({
    default: '',
    pattern: '^[A-Za-z0-9_-]{0,32}$',
    form: 'at most 32 letters, digits, `_` and `-`',
    examples: ['blue_'],
    description: 'prefix of all names on the broker, so that several fleets can share one',
  }),
  LOG_LEVEL: Type.Union(
    LEVELS.map((level) => Type.Literal(level)),
    { default: 'info', description: 'least severe level to log; `RUST_LOG` is an alias' },
  ),
  JAEGER_ENDPOINT: Type.String({
    default: '',
    pattern: '^(https?://\\S+)?$',
    format: 'urls',
    form: 'a URL with `http://` or `https://`',
    examples: ['http://jaeger:4318'],
    description: 'address that receives traces, OTLP over HTTP; empty exports none',
  }),
  JAEGER_TAGS: Type.String({
    default: '',
    pattern: '^([^=,\\s]+=[^,]*(,[^=,\\s]+=[^,]*)*)?$',
    form: '`key=value`, several separated by commas',
    examples: ['team=shop,region=eu'],
    description: 'resource attributes added to every span',
  }),
  TPS_TRACE_SAMPLE: Type.Number({
    default: 1,
    minimum: 0,
    maximum: 1,
    description: 'share of the signals to trace',
  }),
  APP_NAME: Type.String({
    default: 'tps-reference-system',
    description: 'resource attribute `service.namespace`',
  }),
  APP_ENVIRONMENT: Type.String({
    default: 'development',
    description: 'resource attribute `deployment.environment.name`',
  }),
  INSTANCE_ID: Type.String({
    default: '',
    description: 'name of this replica; empty takes the host name and the process id',
  }),
  TPS_BIND: Type.String({
    default: '',
    format: 'address',
    form: 'an IP address of this machine, or `0.0.0.0` or `::` for all of them',
    examples: ['127.0.0.1'],
    description:
      'address on which the HTTP API and the metrics listen; empty listens on all, and `make up` without containers takes `127.0.0.1`',
  }),
  METRICS_PORT: Type.Union([Type.Integer({ minimum: 0, maximum: 65535 }), Type.Literal('disabled')], {
    default: 9090,
    description: 'port of the metrics in Prometheus text and of the health probes; `disabled` opens none',
  }),
};

/** The values of a set of variables; every one has a default, so none is optional. */
export type ConfigOf<P extends TProperties> = { readonly [K in keyof P]: Static<P[K]> };
/** The values of `commonVariables`, which every service has. */
export type CommonConfig = ConfigOf<typeof commonVariables>;

type Env = Record<string, string | undefined>;

/**
 * Reads a service's variables. An empty value counts as unset, as compose passes unset variables on as empty.
 * @throws ConfigError
 */
export function loadConfig<P extends TProperties>(variables: P, env: Env): ConfigOf<P> & CommonConfig {
  const properties: Record<string, TSchema> = { ...commonVariables, ...variables };
  const given: Record<string, unknown> = {};
  for (const [key, rule] of Object.entries(properties)) {
    const name = nameOf(key, env);
    const value = rule.secret ? secretOf(name, env) : env[name];
    if (value) given[key] = name === 'RUST_LOG' ? levelOf(value) : value;
  }
  const formats = {
    url: (text: string) => readable([text]),
    urls: (text: string) => readable(text.split(',')),
    address: (text: string) => text === '' || isIP(text) !== 0,
  };
  const check = new Ajv({ coerceTypes: true, useDefaults: true, strict: false, formats }).compile({
    type: 'object',
    properties,
  });
  if (!check(given)) throw new ConfigError(explain(check.errors?.[0], env, properties));
  return Object.freeze(given) as ConfigOf<P> & CommonConfig;
}

/** Tells whether all URLs have a host and valid escapes, so that connecting cannot fail for their form. */
function readable(urls: string[]): boolean {
  try {
    for (const text of urls.filter(Boolean)) {
      const { username, password, pathname } = new URL(text.trim());
      for (const part of [username, password, pathname]) decodeURIComponent(part);
    }
    return true;
  } catch {
    return false;
  }
}

/** Aliases from the original guide. The variable's own name takes precedence. */
const ALIASES: Readonly<Record<string, string>> = {
  LOG_LEVEL: 'RUST_LOG',
  TPS_KANBAN_BUFFER: 'KANBAN_BUFFER',
  TPS_ANDON_HISTORY: 'ANDON_HISTORY',
};

function nameOf(key: string, env: Env): string {
  const alias = ALIASES[key];
  return alias && !env[key] && env[alias] ? alias : key;
}

/** `RUST_LOG` may hold directives (`info,tps=debug`): the first bare level counts. */
function levelOf(rustLog: string): string {
  const word = rustLog
    .toLowerCase()
    .split(',')
    .map((directive) => directive.trim())
    .find((directive) => !directive.includes('='));
  if (word === 'trace') return 'debug';
  if (word === 'off') return 'error';
  return word ?? 'info';
}

/**
 * Reads a secret from its variable, or from the file that `<NAME>_FILE` names, as orchestrators provide them. A newline at
 * the end of the file is not part of the secret.
 * @throws ConfigError
 */
function secretOf(name: string, env: Env): string | undefined {
  const path = env[`${name}_FILE`];
  if (!path) return env[name];
  if (env[name]) throw new ConfigError(`${name} and ${name}_FILE are both set: set one of them`);
  const value = readConfigFile(`${name}_FILE`, path)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (!value) throw new ConfigError(`${name}_FILE=${path} is not allowed: the file is empty`);
  return value;
}

/**
 * Reads a file that a variable names.
 * @throws ConfigError
 */
export function readConfigFile(variable: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ConfigError(`${variable}=${path} is not allowed: must be a readable file (${code ?? message})`);
  }
}

/** Hides the secrets of a configuration, for the log. */
export function redactedConfig(variables: TProperties, config: object): Record<string, unknown> {
  const properties: Record<string, TSchema> = { ...commonVariables, ...variables };
  const shown = Object.entries(config).map(([key, value]) => [
    key,
    properties[key]?.secret ? redactedValue(key, String(value)) : (value as unknown),
  ]);
  return Object.fromEntries(shown) as Record<string, unknown>;
}

/** Hides the credentials of a broker's URL, even a malformed one, and everything behind the host of a webhook's. */
function redactedValue(name: string, secret: string): string {
  if (secret === '') return '';
  if (!name.endsWith('_URL')) return '***';
  if (!/^https?:/.test(secret) || !URL.canParse(secret)) return redactUrlList(secret);
  const { origin, pathname, search } = new URL(secret);
  return pathname + search === '/' ? origin : `${origin}/***`;
}

function explain(error: ErrorObject | undefined, env: Env, properties: Record<string, TSchema>): string {
  const key = error?.instancePath.slice(1) ?? '';
  const rule = (properties[key] ?? {}) as VariableSchema;
  const name = nameOf(key, env);
  const variable = rule.secret && env[`${name}_FILE`] ? `${name}_FILE` : name;
  const value = env[variable] ?? '';
  const shown = rule.secret && variable === name ? redactedValue(name, value) : value;
  const malformed = error?.keyword === 'format' && error.params['format'] !== 'address';
  const what = malformed ? 'a URL with a host and sound escapes' : allowedValues(rule);
  return redactUrls(`${variable}=${shown} is not allowed: must be ${what}${exampleOf(rule)}`);
}

function exampleOf({ examples = [] }: VariableSchema): string {
  return examples.length > 0 ? `, for example ${examples.join(' or ')}` : '';
}

interface VariableSchema {
  /** The allowed texts in words, which a pattern is not. */
  form?: string;
  examples?: string[];
  /** Never shown; may come from the file that `<NAME>_FILE` names. */
  secret?: boolean;
  anyOf?: VariableSchema[];
  const?: unknown;
  type?: string;
  minimum?: number;
  maximum?: number;
  pattern?: string;
}

/** The allowed values of a variable in words, for the error line and for the table in the README. */
export function allowedValues(rule: VariableSchema): string {
  if (rule.anyOf) return rule.anyOf.map(allowedValues).join(' or ');
  if (rule.const !== undefined) return `\`${JSON.stringify(rule.const).replaceAll('"', '')}\``;
  const kind = rule.type === 'integer' ? 'a whole number' : rule.type === 'number' ? 'a number' : rule.type;
  if (rule.minimum !== undefined && rule.maximum !== undefined) {
    return `${kind} from ${rule.minimum} to ${rule.maximum}`;
  }
  if (rule.minimum !== undefined) return `${kind}, at least ${rule.minimum}`;
  if (rule.type === 'boolean') return '`true` or `false`';
  return rule.form ?? (rule.pattern ? `text that matches ${rule.pattern}` : 'text');
}
