import type { IncomingMessage } from 'node:http';
import { type Static, Type } from '@sinclair/typebox';
import Ajv, { type FormatDefinition, type Options, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { ApiError } from '../problem';
import { faultsOf } from '../signals/validate';
import { readJson, readOptionalJson } from './body';
import type { Operation, SchemaName } from './operation';
import type { OPERATIONS, OperationId } from './operations';
import { invalid, queryOf, withNumbers } from './query';
import * as schemas from './schemas';

type Named<N> = N extends SchemaName ? Static<(typeof schemas)[N]> : undefined;
type Declared<Id extends OperationId, K extends 'query' | 'body'> = (typeof OPERATIONS)[Id] extends {
  [Key in K]: infer N;
}
  ? Named<N>
  : undefined;

/** The parts of a request, checked by the schemas of its operation. */
export interface Input<Id extends OperationId> {
  query: Declared<Id, 'query'>;
  body: (typeof OPERATIONS)[Id] extends { optionalBody: true }
    ? Declared<Id, 'body'> | undefined
    : Declared<Id, 'body'>;
}

interface ObjectSchema {
  properties: Record<string, { type?: unknown }>;
}

const options: Options = { allErrors: true, useDefaults: true, allowUnionTypes: true, verbose: true };
const ajv = addFormats(new Ajv(options));
const standardTime = ajv.formats['date-time'] as FormatDefinition<string> & {
  validate: (text: string) => boolean;
};
// The format allows times that `Date.parse` does not read, such as leap seconds. As a filter, NaN excludes nothing.
ajv.addFormat('date-time', (text: string) => standardTime.validate(text) && !Number.isNaN(Date.parse(text)));

/** Names every field that an operation without parameters or body is sent. */
const checkNothing = ajv.compile(Type.Object({}, { additionalProperties: false }));

/**
 * Reads and checks what an operation takes.
 * @throws ApiError INVALID_REQUEST that names every fault and what is allowed
 */
export function inputReader(
  operation: Operation,
): (req: IncomingMessage) => Promise<{ query: unknown; body: unknown }> {
  const readQuery = queryReader(operation);
  const readBody = bodyReader(operation);
  return async (req) => ({ query: readQuery(req), body: await readBody(req) });
}

function queryReader({ query: name }: Operation): (req: IncomingMessage) => unknown {
  if (!name) return (req) => void checked(checkNothing, queryOf(req));
  const check = ajv.compile(schemas[name]);
  const { properties } = schemas[name] as unknown as ObjectSchema;
  const numbers = Object.keys(properties).filter((key) => properties[key]!.type === 'integer');
  return (req) => checked(check, withNumbers(queryOf(req), numbers));
}

function bodyReader({ body: name, optionalBody }: Operation): (req: IncomingMessage) => Promise<unknown> {
  if (!name) return refuseBody;
  const check = ajv.compile(schemas[name]);
  if (!optionalBody) return async (req) => checked(check, await readJson(req, invalid));
  return async (req) => {
    const body = await readOptionalJson(req, invalid);
    return body === undefined ? undefined : checked(check, body);
  };
}

/** `{}` holds nothing to ignore, and some clients send it with every request. */
async function refuseBody(req: IncomingMessage): Promise<void> {
  const body = await readOptionalJson(req, invalid).catch((error: unknown) => {
    if (error instanceof ApiError && error.code === 'PAYLOAD_TOO_LARGE') throw error;
    throw new ApiError('INVALID_REQUEST', `This operation takes no body. ${(error as Error).message}`);
  });
  if (body !== undefined) checked(checkNothing, body);
}

function checked(check: ValidateFunction, value: unknown): unknown {
  if (check(value)) return value;
  throw invalid(faultsOf(check.errors));
}
