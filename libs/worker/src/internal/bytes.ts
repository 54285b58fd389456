/** UTF-8 needs at most so many bytes for one unit of a string. */
const MOST = 3;
/** Below this the upper bound will do: a full batch of them is no longer than a batch may be. */
const SHORT = 682;

/** Bytes of a text on the wire, or a little more. Counted only where it matters: this is asked of every outcome. */
export function maxBytesOf(text: string): number {
  return text.length <= SHORT ? text.length * MOST : Buffer.byteLength(text);
}

export function exceedsBytes(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * MOST > bytes && Buffer.byteLength(text) > bytes);
}
