import type { MsgHdrs } from '@nats-io/transport-node';

/**
 * Encodes the headers of an outgoing message. The client's own header map rescans for every entry, which is quadratic for
 * a batch with one `traceparent` per signal. This map is enough, because `publish` only calls `encode()`.
 *
 * The values must be trusted, because they are not checked for line breaks.
 */
export function encodeHeaders(entries: Iterable<readonly [name: string, value: string]>): MsgHdrs {
  let text = 'NATS/1.0\r\n';
  for (const [name, value] of entries) text += `${name}: ${value}\r\n`;
  const bytes = Buffer.from(`${text}\r\n`, 'utf8');
  return { encode: () => bytes } as unknown as MsgHdrs;
}

/** All values of a header, in order; empty if there are none. The name must match exactly. */
export function headerValues(headers: MsgHdrs | undefined, name: string): string[] {
  return headers?.has(name) ? headers.values(name) : [];
}
