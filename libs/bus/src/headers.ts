import type { MsgHdrs } from '@nats-io/transport-node';

/**
 * Headers of an outgoing message, encoded once. The client's own header map canonicalises and rescans per entry,
 * which is quadratic for the one-`traceparent`-per-signal lists of batches; `publish` only calls `encode()`.
 *
 * Values must come from us: they are not checked for line breaks.
 */
export function encodeHeaders(entries: Iterable<readonly [name: string, value: string]>): MsgHdrs {
  let text = 'NATS/1.0\r\n';
  for (const [name, value] of entries) text += `${name}: ${value}\r\n`;
  const bytes = Buffer.from(`${text}\r\n`, 'utf8');
  return { encode: () => bytes } as unknown as MsgHdrs;
}

/** All values of a header, in order; empty when there are none. Names match exactly. */
export function headerValues(headers: MsgHdrs | undefined, name: string): string[] {
  return headers?.has(name) ? headers.values(name) : [];
}
