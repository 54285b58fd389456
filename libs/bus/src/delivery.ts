/** The facts about a delivered message that the broker puts into its reply subject. */
export interface DeliveryInfo {
  /** 1 on the first delivery. */
  deliveries: number;
  streamSeq: number;
  consumerSeq: number;
  /** When the stream stored it, in milliseconds since 1970. */
  storedAtMs: number;
  /** Messages that the consumer still has after this one. */
  pending: number;
  /** The name of the consumer; for work, that of the lane. */
  consumer: string;
}

/**
 * Parses the reply subject of a delivered message; null if it is another kind of subject. The format is
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
