import {
  Kind,
  type TArray,
  type TInteger,
  type TNull,
  type TNumber,
  type TRecord,
  type TSchema,
  type TString,
  type TUnion,
  type TUnsafe,
  Type,
  TypeRegistry,
} from '@sinclair/typebox';

/*
 * The kinds of fields that messages, records and API bodies are made of. Each is plain JSON Schema, so the same schema
 * parses a message, checks a request and appears in the OpenAPI document.
 */

const ONE_OF = 'OneOf';
TypeRegistry.Set<{ enum: readonly unknown[] }>(ONE_OF, (schema, value) => schema.enum.includes(value));

/** A string out of a closed list; `enum` in JSON Schema. */
export function oneOf<const T extends string>(values: readonly T[], options: object = {}): TUnsafe<T> {
  return Type.Unsafe<T>({ [Kind]: ONE_OF, type: 'string', enum: values, ...options });
}

/** Any string. */
export const text = (description: string): TString => Type.String({ description });

/** A moment: ISO 8601 with a time zone, written by this system in UTC with milliseconds. */
export const time = (description: string): TString => Type.String({ format: 'date-time', description });

/** Any number. Clocks of two machines may differ, so that a time between two moments can be below zero. */
export const number = (description: string): TNumber => Type.Number({ description });

/** A duration in milliseconds; fractions are allowed. */
export const ms = (description: string): TNumber => Type.Number({ minimum: 0, description });

/** A whole number from 0. */
export const count = (description: string): TInteger => Type.Integer({ minimum: 0, description });

/** A share from 0 to 100. */
export const percent = (description: string): TNumber =>
  Type.Number({ minimum: 0, maximum: 100, description });

/** A page's `next`, which the caller hands back unchanged: a position in a log, within what a number holds exactly. */
export const cursor = (): TString =>
  Type.String({ pattern: '^([1-9][0-9]{0,14}|[1-8][0-9]{15})$', description: '`next` of the page before' });

/** The field is always there, and null while its value is not known. */
export const nullable = <S extends TSchema>(schema: S, description: string): TUnion<[S, TNull]> =>
  Type.Union([schema, Type.Null()], { description });

/** An object used as a map: any key, one shape of value. */
export const mapOf = <S extends TSchema>(value: S, description?: string): TRecord<TString, S> =>
  Type.Record(Type.String(), value, description ? { description } : {});

/** An object whose fields belong to somebody else: a payload, a JSON Schema. */
export const anyObject = (description: string): TUnsafe<Record<string, unknown>> =>
  Type.Unsafe<Record<string, unknown>>(Type.Object({}, { additionalProperties: true, description }));

/** The same kind of field with other annotations, such as a default or another description. */
export const amended = <S extends TSchema>(schema: S, options: object): S => ({ ...schema, ...options });

/** A list in the given order. */
export const list = <S extends TSchema>(item: S, description: string): TArray<S> =>
  Type.Array(item, { description });
