import { Kind, type TUnsafe, Type, TypeRegistry } from '@sinclair/typebox';

/** The version of every message and stored value that this code writes. */
export const WIRE_VERSION = 1;

/** Whether this code reads a message of this version: the current one and the one before. */
export function isReadableVersion(v: unknown): boolean {
  return v === WIRE_VERSION || v === WIRE_VERSION - 1;
}

export const VERSION_KIND = 'WireVersion';
TypeRegistry.Set(VERSION_KIND, (_, value) => isReadableVersion(value));

/** The field `v` of a message. A version that this code does not read is a fault of the whole message. */
export const version = (): TUnsafe<number> =>
  Type.Unsafe<number>({
    [Kind]: VERSION_KIND,
    type: 'integer',
    description: 'Version of this shape. Readers take the current one and the one before.',
  });

/** A message as it goes out: JSON, with the current version. */
export function encodeMessage(message: object): string {
  return JSON.stringify({ v: WIRE_VERSION, ...message });
}
