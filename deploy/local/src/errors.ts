/**
 * Something the person at the terminal can put right. The message is all they see, so it says what,
 * where and what to do; anything else that is thrown is a bug and is shown with its stack.
 */
export class LocalRuntimeError extends Error {
  override readonly name = 'LocalRuntimeError';
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
