/**
 * Ends an attempt from outside. The AbortSignal is made only for a handler that asks for it: making one costs as much
 * as all the rest of a small attempt.
 */
export class LazyAbort {
  private controller: AbortController | undefined;
  private listener: ((reason: Error) => void) | undefined;
  /** Set once it was aborted. */
  reason: Error | undefined;

  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.reason) this.controller.abort(this.reason);
    return this.controller.signal;
  }

  /** The first reason counts. */
  abort(reason: Error): void {
    if (this.reason) return;
    this.reason = reason;
    this.controller?.abort(reason);
    this.listener?.(reason);
  }

  /** Called once, at once when it was aborted already. The attempt is the one listener. */
  onAbort(listener: (reason: Error) => void): void {
    if (this.reason) listener(this.reason);
    else this.listener = listener;
  }
}
