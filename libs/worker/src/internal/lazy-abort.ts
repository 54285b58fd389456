/**
 * Ends an attempt from outside. The AbortSignal is made only when the handler asks for it, because making one costs as
 * much as all the rest of a small attempt.
 */
export class LazyAbort {
  private controller: AbortController | undefined;
  private listener: ((reason: Error) => void) | undefined;
  /** Set when it is aborted. */
  reason: Error | undefined;

  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.reason) this.controller.abort(this.reason);
    return this.controller.signal;
  }

  /** Only the first reason counts. */
  abort(reason: Error): void {
    if (this.reason) return;
    this.reason = reason;
    this.controller?.abort(reason);
    this.listener?.(reason);
  }

  /** Calls the listener once; at once if it is aborted already. Only the attempt listens. */
  onAbort(listener: (reason: Error) => void): void {
    if (this.reason) listener(this.reason);
    else this.listener = listener;
  }
}
