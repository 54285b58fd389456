import type { IncomingMessage } from 'node:http';
import type { Static } from '@sinclair/typebox';
import Ajv, { type Options, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { ApiError } from '../problem';
import { type Fault, faultsOf, shapeFaults } from '../signals/validate';
import { readJson } from './body';
import type { Operation, SchemaName } from './operation';
import type { OPERATIONS, OperationId } from './operations';
import * as schemas from './schemas';

type Named<N> = N extends SchemaName ? Static<(typeof schemas)[N]> : undefined;
type Declared<Id extends OperationId, K extends 'query' | 'body'> = (typeof OPERATIONS)[Id] extends {
  [Key in K]: infer N;
}
  ? Named<N>
  : undefined;

/** What came in with a request, checked by the schemas of its operation. */
export interface Input<Id extends OperationId> {
  query: Declared<Id, 'query'>;
  body: (typeof OPERATIONS)[Id] extends { optionalBody: true }
    ? Declared<Id, 'body'> | undefined
    : Declared<Id, 'body'>;
}

// Text of a query becomes the number or boolean its schema wants; a body says itself what it is.
const common: Options = { allErrors: true, useDefaults: true, allowUnionTypes: true, verbose: true };
const ajvOfQueries = addFormats(new Ajv({ ...common, coerceTypes: true }));
const ajvOfBodies = addFormats(new Ajv(common));

/**
 * Reads and checks what an operation takes.
 * @throws ApiError INVALID_REQUEST that names every fault and what is allowed
 */
export function inputReader(
  operation: Operation,
): (req: IncomingMessage) => Promise<{ query: unknown; body: unknown }> {
  const { query, body, optionalBody } = operation;
  const checkQuery = query && ajvOfQueries.compile(schemas[query]);
  const checkBody = body && ajvOfBodies.compile(schemas[body]);
  return async (req) => ({
    query: checkQuery && checked(checkQuery, queryOf(req)),
    body:
      checkBody && !(optionalBody && isEmpty(req))
        ? checked(checkBody, sound(await readJson(req)))
        : undefined,
  });
}

function isEmpty({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] === undefined && !(Number(headers['content-length']) > 0);
}

function checked(check: ValidateFunction, value: unknown): unknown {
  if (check(value)) return value;
  throw invalid(faultsOf(check.errors));
}

function sound(body: unknown): unknown {
  const faults = shapeFaults(body);
  if (faults.length > 0) throw invalid(faults);
  return body;
}

function queryOf(req: IncomingMessage): Record<string, string> {
  const given = new URLSearchParams(req.url?.split('?')[1] ?? '');
  const query: Record<string, string> = {};
  for (const [name, value] of given) {
    if (Object.hasOwn(query, name)) {
      throw invalid([{ path: `/${name}`, message: 'is given twice', rule: 'once' }]);
    }
    // Defined, not assigned: `__proto__` is a name like any other, and refused as unknown.
    Object.defineProperty(query, name, { value, enumerable: true, writable: true, configurable: true });
  }
  return query;
}

function invalid(errors: Fault[]): ApiError {
  const all = errors.map(({ path, message }) => `${path || 'the body'} ${message}`);
  return new ApiError('INVALID_REQUEST', all.join('; ').slice(0, 1_000), { members: { errors } });
}
