/** The bench cannot go on. The message is for the person who ran it, and is printed without a stack. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
}
