import { API_ERRORS, type ApiErrorCode } from '@tps/contracts';
import type { Operation, Parameter, SchemaName } from './operation';
import { operations } from './operations';
import * as schemas from './schemas';

const PROBES = new Set(['/health/live', '/health/ready']);
const UNLIMITED = new Set(['/health', ...PROBES]);
const BODY_ERRORS: readonly ApiErrorCode[] = ['INVALID_JSON', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];

const RETRY_AFTER = {
  'Retry-After': {
    description: 'Seconds to wait before another try',
    schema: { type: 'integer', minimum: 1 },
  },
};
/** Headers of refusals, by status. */
const ERROR_HEADERS: Readonly<Record<number, object>> = {
  401: { 'WWW-Authenticate': { description: 'The scheme to use, `Bearer`', schema: { type: 'string' } } },
  429: RETRY_AFTER,
  503: RETRY_AFTER,
};

const TITLE = 'TPS Reference System';

export interface OpenApiOperation {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  parameters?: { name: string; in: string; required: boolean; description: string; schema: object }[];
  requestBody?: object;
  responses: Record<string, { description: string; content?: Record<string, object>; headers?: object }>;
  security?: object[];
  'x-curl': string[];
}

export interface OpenApiDocument {
  openapi: '3.1.0';
  info: { title: string; version: string; description: string };
  paths: Record<string, Record<string, OpenApiOperation>>;
  components: { schemas: Record<string, object>; securitySchemes: object };
  security?: object[];
}

export function openApiDocument(version: string, authEnabled: boolean): OpenApiDocument {
  const paths: OpenApiDocument['paths'] = {};
  for (const [id, operation] of operations) {
    (paths[operation.path] ??= {})[operation.method] = describe(id, operation, authEnabled);
  }
  const document: OpenApiDocument = {
    openapi: '3.1.0',
    info: {
      title: TITLE,
      version,
      description: 'Durable work on the six principles of the Toyota Production System.',
    },
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, asked(schema)])),
      securitySchemes: {
        client: { type: 'http', scheme: 'bearer', description: 'A token of a client or operator' },
        operator: { type: 'http', scheme: 'bearer', description: 'A token of an operator' },
      },
    },
  };
  if (authEnabled) document.security = [{ client: [] }];
  // Schemas carry symbols and are shared, so a plain copy is handed out.
  return JSON.parse(JSON.stringify(document, mapsAsClientsKnowThem)) as OpenApiDocument;
}

/** Generators of clients read the shape of a map's values from `additionalProperties` and pass over patterns. */
function mapsAsClientsKnowThem(_key: string, value: unknown): unknown {
  const { patternProperties, ...rest } = (value ?? {}) as { patternProperties?: Record<string, unknown> };
  const anyKey = patternProperties?.['^(.*)$'];
  return anyKey === undefined ? value : { ...rest, additionalProperties: anyKey };
}

function describe(operationId: string, operation: Operation, authEnabled: boolean): OpenApiOperation {
  const { tag, summary, description, body, optionalBody = false, examples } = operation;
  const parameters = parametersOf(operation);
  return {
    operationId,
    tags: [tag],
    summary,
    ...(description ? { description } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body
      ? { requestBody: { required: !optionalBody, content: { 'application/json': { schema: ref(body) } } } }
      : {}),
    ...(authEnabled ? { security: operation.role === 'anyone' ? [] : [{ [operation.role]: [] }] } : {}),
    responses: responsesOf(operation, authEnabled),
    'x-curl': examples,
  };
}

/** A query parameter is a property of the operation's query schema. */
function parametersOf({ parameters = [], query }: Operation): Parameter[] {
  if (!query) return parameters;
  const { properties, required = [] } = asked(schemas[query]) as { properties: object; required?: string[] };
  const inQuery = Object.entries(properties).map(([name, schema]: [string, { description?: string }]) => {
    const { description = '', ...rest } = schema;
    return { name, in: 'query' as const, required: required.includes(name), description, schema: rest };
  });
  return [...parameters, ...inQuery];
}

/** A member with a default is always there for the code, and need not be sent. */
function asked(schema: object): object {
  const { properties, required } = schema as { properties?: Record<string, object>; required?: string[] };
  if (!properties || !required) return schema;
  return { ...schema, required: required.filter((name) => !('default' in properties[name]!)) };
}

function responsesOf(operation: Operation, authEnabled: boolean): OpenApiOperation['responses'] {
  const responses: OpenApiOperation['responses'] = {};
  for (const [status, { description, schema, text = [], headers }] of Object.entries(operation.answers)) {
    const content: Record<string, object> = {};
    if (schema) content['application/json'] = { schema: ref(schema) };
    for (const type of text) content[type] = { schema: { type: 'string' } };
    responses[status] = { description, content, ...(headers ? { headers } : {}) };
  }
  // Every operation refuses members that it does not take.
  const always: ApiErrorCode[] = ['INVALID_REQUEST', 'HEADERS_TOO_LARGE', 'REQUEST_TIMEOUT', 'INTERNAL'];
  if (!UNLIMITED.has(operation.path)) always.push('RATE_LIMITED');
  // A gateway that is not connected yet answers nothing but its own probes.
  if (!PROBES.has(operation.path)) always.push('UNAVAILABLE');
  always.push(...(operation.body ? BODY_ERRORS : (['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const)));
  if (authEnabled && operation.role !== 'anyone') always.push('UNAUTHORIZED');
  if (authEnabled && operation.role === 'operator') always.push('FORBIDDEN');
  for (const code of new Set([...operation.errors, ...always])) addError(responses, code);
  return responses;
}

function addError(responses: OpenApiOperation['responses'], code: ApiErrorCode): void {
  const { status, meaning } = API_ERRORS[code];
  const line = `\`${code}\`: ${meaning}`;
  const known = (responses[status] ??= { description: '' });
  known.description = known.description ? `${known.description}\n${line}` : line;
  (known.content ??= {})['application/problem+json'] = { schema: ref('Problem') };
  const headers = ERROR_HEADERS[status];
  if (headers) known.headers = { ...known.headers, ...headers };
}

function ref(name: SchemaName): object {
  return { $ref: `#/components/schemas/${name}` };
}
