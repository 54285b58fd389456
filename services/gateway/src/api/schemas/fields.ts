import { type TUnsafe, Type } from '@sinclair/typebox';

/** Kinds of fields that bodies are made of. */

/** One of these words. */
export function oneOf<T extends string>(values: readonly T[], options: object = {}): TUnsafe<T> {
  return Type.Unsafe<T>({ type: 'string', enum: values, ...options });
}
export const text = (description: string): ReturnType<typeof Type.String> => Type.String({ description });
export const time = (description: string): ReturnType<typeof Type.String> =>
  Type.String({ format: 'date-time', description });
export const ms = (description: string): ReturnType<typeof Type.Number> =>
  Type.Number({ minimum: 0, description });
export const count = (description: string): ReturnType<typeof Type.Integer> =>
  Type.Integer({ minimum: 0, description });
export const percent = (description: string): ReturnType<typeof Type.Number> =>
  Type.Number({ minimum: 0, maximum: 100, description });
/** What a listing gives as `next`: a place in a log, in digits that a number holds exactly. */
export const cursor = (): ReturnType<typeof Type.String> =>
  Type.String({ pattern: '^([1-9][0-9]{0,14}|[1-8][0-9]{15})$', description: '`next` of the page before' });
