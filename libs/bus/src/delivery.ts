/** What the broker says of a delivered message in its reply subject. */
export interface DeliveryInfo {
  /** 1 on the first delivery. */
  deliveries: number;
  streamSeq: number;
  consumerSeq: number;
  /** When the stream stored it, in milliseconds since 1970. */
  storedAtMs: number;
  /** What the consumer still holds after this message. */
  pending: number;
  /** The consumer's name: for work, the lane. */
  consumer: string;
}

/**
 * `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<nanos>.<pending>`, or the newer form with
 * domain and account before the stream (and possibly one token more at the end).
 */
export function parseDelivery(reply: string): DeliveryInfo | null {
  const tokens = reply.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK' || tokens.length < 9) return null;
  const at = tokens.length === 9 ? 3 : 5;
  return {
    consumer: tokens[at]!,
    deliveries: Number(tokens[at + 1]),
    streamSeq: Number(tokens[at + 2]),
    consumerSeq: Number(tokens[at + 3]),
    storedAtMs: Math.floor(Number(tokens[at + 4]) / 1e6),
    pending: Number(tokens[at + 5]),
  };
}
