/** The most bytes that UTF-8 needs for one code unit of a string. */
const MOST = 3;
/** Below this length the upper bound is good enough: a full batch of such texts stays within its limit. */
const SHORT = 682;

/** An upper bound for the bytes of a text on the wire. Only long texts are counted exactly, because every outcome is measured. */
export function maxBytesOf(text: string): number {
  return text.length <= SHORT ? text.length * MOST : Buffer.byteLength(text);
}

export function exceedsBytes(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * MOST > bytes && Buffer.byteLength(text) > bytes);
}
