/** Ends the bench. Its message is for the user and is printed without a stack. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
}
