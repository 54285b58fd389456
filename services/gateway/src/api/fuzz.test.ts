import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import addFormats from 'ajv-formats';
import Ajv2020 from 'ajv/dist/2020';
import { API_ERRORS } from '@tps/contracts';
import fc from 'fast-check';
import { type GatewayHarness, startGateway } from '../testing/harness';
import type { OpenApiDocument, OpenApiOperation } from './openapi';

/** The same requests in every run; another seed finds others. */
const SEED = 20_260_125;
const RUNS_PER_OPERATION = 40;
/** Streams for as long as its reader likes. */
const ENDLESS = new Set(['/andon/events']);

/** The headers that a client acts on. */
const CLIENT_HEADERS = [
  'idempotency-replayed',
  'location',
  'preference-applied',
  'retry-after',
  'www-authenticate',
];

interface Ask {
  path: string;
  headers: Record<string, string>;
  body?: string;
}
interface Answer {
  status: number;
  type: string;
  text: string;
  headers: IncomingHttpHeaders;
}
interface Schema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  items?: Schema;
  pattern?: string;
}

/** Does every operation answer what the document says it may, whatever comes? */
describe('from the OpenAPI document', () => {
  let gateway: GatewayHarness;
  let document: OpenApiDocument;
  const ajv = addFormats(new Ajv2020({ strict: false }));

  beforeAll(async () => {
    gateway = await startGateway();
    document = (await gateway.http.get('/openapi.json')).body as unknown as OpenApiDocument;
    ajv.addSchema(document, 'api');
  });
  afterAll(() => gateway.stop());

  const resolve = (schema: Schema): Schema =>
    schema.$ref ? (document.components.schemas[schema.$ref.split('/').at(-1)!] as Schema) : schema;

  /** Mostly what the schema wants, with some of what it does not. */
  function like(given: Schema, depth = 0): fc.Arbitrary<unknown> {
    const schema = resolve(given);
    const wrong = { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) };
    const right = ((): fc.Arbitrary<unknown> => {
      if (schema.enum) return fc.constantFrom(...schema.enum);
      if (schema.properties && depth < 4) {
        const fields = Object.entries(schema.properties).map(([name, field]) => [
          name,
          like(field, depth + 1),
        ]);
        return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, {
          requiredKeys: [],
        });
      }
      if (schema.type === 'integer' || schema.type === 'number') return fc.oneof(fc.integer(), fc.double());
      if (schema.type === 'boolean') return fc.boolean();
      if (schema.type === 'array') return fc.array(like(schema.items ?? {}, depth + 1), { maxLength: 4 });
      if (schema.pattern) return fc.oneof(fc.constantFrom('execute', 'strict'), fc.string());
      if (schema.type === 'string') return fc.oneof(fc.uuid(), fc.string({ unit: 'binary' }));
      return fc.object({ maxDepth: 3 });
    })();
    return fc.oneof({ weight: 6, arbitrary: right }, wrong);
  }

  /** Header values as they can be sent: Node's client takes no others. */
  const headerText = fc.string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .filter((c) => c !== 0x7f)
      .map((c) => String.fromCharCode(c)),
  });
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value)) ?? '';

  function asksOf(path: string, operation: OpenApiOperation): fc.Arbitrary<Ask> {
    const parameters = operation.parameters ?? [];
    const values = fc.record(
      Object.fromEntries(
        parameters.map(({ name, in: place, schema }) => [
          `${place} ${name}`,
          place === 'header'
            ? headerText
            : like(schema as Schema)
                .map(text)
                .filter((value) => value !== '' || place !== 'path'),
        ]),
      ),
      {
        requiredKeys: parameters
          .filter(({ in: place }) => place === 'path')
          .map(({ name }) => `path ${name}`),
      },
    );
    const content = (operation.requestBody as { content?: Record<string, { schema: Schema }> } | undefined)
      ?.content;
    const body = content
      ? fc.oneof(
          {
            weight: 6,
            arbitrary: like(content['application/json']!.schema).map((value) => JSON.stringify(value)),
          },
          { weight: 1, arbitrary: fc.string() },
        )
      : fc.constant(undefined);
    const type = fc.constantFrom('application/json', 'application/json', 'text/plain');
    return fc.tuple(values, body, type, fc.webQueryParameters()).map(([given, json, type, junk]) => {
      const query = new URLSearchParams();
      const headers: Record<string, string> = json === undefined ? {} : { 'content-type': type };
      let url = path;
      for (const [key, value] of Object.entries(given as Record<string, string>)) {
        const [place, name] = key.split(' ') as [string, string];
        if (place === 'path') url = url.replace(`{${name}}`, encodeURIComponent(value));
        else if (place === 'query') query.set(name, value);
        // The time of a test is bounded: nobody waits long.
        else if (name !== 'Prefer') headers[name] = value;
      }
      const search = [query.toString(), junk.length % 5 === 0 ? junk : ''].filter(Boolean).join('&');
      return {
        path: search ? `${url}?${search}` : url,
        headers,
        ...(json === undefined ? {} : { body: json }),
      };
    });
  }

  function send(method: string, { path, headers, body = '' }: Ask): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const length = { 'content-length': String(Buffer.byteLength(body)) };
      httpRequest({ port: gateway.port, method, path, headers: { ...headers, ...length } }, (res) => {
        let received = '';
        res.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
        res.on('end', () => {
          const type = String(res.headers['content-type'] ?? '').split(';')[0]!;
          resolve({ status: res.statusCode!, type, text: received, headers: res.headers });
        });
      })
        .on('error', reject)
        .end(body);
    });
  }

  function check(operation: OpenApiOperation, { status, type, text: received, headers }: Answer): void {
    const said = `${status} ${type}: ${received.slice(0, 300)}`;
    // The fakes of the other services know a few questions only: the gateway says so, honestly.
    const response = operation.responses[status];
    if (!response) throw new Error(`not documented: ${said}`);
    if (status === 204) return;
    const documented = Object.keys(response.headers ?? {}).map((name) => name.toLowerCase());
    const silent = CLIENT_HEADERS.filter((name) => name in headers && !documented.includes(name));
    if (silent.length > 0) throw new Error(`header ${silent.join(', ')} not documented: ${said}`);
    const content = response.content?.[type] as { schema?: Schema } | undefined;
    if (!content) throw new Error(`content type not documented: ${said}`);
    if (!/json/.test(type)) return;
    const body = JSON.parse(received) as { code?: keyof typeof API_ERRORS };
    if (type === 'application/problem+json') {
      if (API_ERRORS[body.code!]?.status !== status) throw new Error(`no such code: ${said}`);
      if (status === 500) throw new Error(`a fault of ours: ${said}`);
    }
    const name = content.schema?.$ref?.split('/').at(-1);
    const sound = name === undefined || ajv.validate(`api#/components/schemas/${name}`, body);
    if (!sound) throw new Error(`not as its schema says (${ajv.errorsText()}): ${said}`);
  }

  test('no answer is one that the document does not have', async () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
    const asked = operations.filter(({ path }) => !ENDLESS.has(path));
    await Promise.all(
      asked.map(async ({ path, method, operation }) => {
        const property = fc.asyncProperty(asksOf(path, operation), async (ask) => {
          check(operation, await send(method.toUpperCase(), ask));
        });
        const found = await fc.check(property, { seed: SEED, numRuns: RUNS_PER_OPERATION });
        if (!found.failed) return;
        throw new Error(
          `${method} ${path}: ${String(found.errorInstance)}\n${fc.defaultReportMessage(found)}`,
        );
      }),
    );
    expect((await gateway.http.get('/health/live')).status).toBe(200);
  }, 120_000);
});
