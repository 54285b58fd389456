import type { TSchema } from '@sinclair/typebox';
import { type ApiErrorCode, SIGNAL_TYPE_PATTERN } from '@tps/contracts';
import type * as schemas from './schemas';

type Schemas = typeof schemas;
export type SchemaName = keyof Schemas;

/** One thing the API offers. Routes, checks of what comes in, the OpenAPI document and the page are made from it. */
export interface Operation {
  method: 'get' | 'post' | 'put' | 'delete';
  /** As OpenAPI writes it: `/signal/{id}`. */
  path: string;
  /** The least role that may call it while `AUTH_ENABLED`; an operator may call everything. */
  role: 'anyone' | 'client' | 'operator';
  tag: 'Signals' | 'Types' | 'Dead letters' | 'Fleet' | 'Stations' | 'Andon' | 'Documentation';
  summary: string;
  description?: string;
  parameters?: Parameter[];
  /** An object whose properties are the query parameters; others are refused. */
  query?: SchemaName;
  body?: SchemaName;
  /** A request without a body will do. */
  optionalBody?: true;
  answers: Record<number, Content>;
  /** Codes beside those that every operation has because of limits, tokens and bodies (openapi.ts). */
  errors: ApiErrorCode[];
  /** Arguments of `curl` before the URL, one line each. */
  examples: string[];
}

export interface Parameter {
  name: string;
  in: 'path' | 'header' | 'query';
  required: boolean;
  description: string;
  schema: TSchema | object;
}

/** A header of an answer. */
export interface Header {
  description: string;
  schema: object;
}

interface Content {
  description: string;
  schema?: SchemaName;
  /** Content types that carry no JSON. */
  text?: string[];
  headers?: Record<string, Header>;
}

export const ID: Parameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'The `signal_id` of the answer to `POST /signal`',
  schema: { type: 'string', format: 'uuid' },
};

export const PREFER = (description: string): Parameter => ({
  name: 'Prefer',
  in: 'header',
  required: false,
  description,
  schema: { type: 'string' },
});

export const TYPE: Parameter = {
  name: 'type',
  in: 'path',
  required: true,
  description: 'A signal type',
  schema: { type: 'string', pattern: SIGNAL_TYPE_PATTERN },
};
