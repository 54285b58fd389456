/**
 * An error that the user can correct. The command prints only its message, which says what is wrong, where, and what to
 * do. Any other error is a bug and is printed with its stack.
 */
export class LocalRuntimeError extends Error {
  override readonly name = 'LocalRuntimeError';
}

/** The message of a thrown value of any kind. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
