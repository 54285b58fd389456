/** So many signals in a row that kanban did not take. */
const ENTER_AFTER = 3;
/** NATS must have been well for so long. */
const WELL_MS = 10_000;
/** Between two changes in the same direction: however it flaps, the mode changes at most twice a minute. */
const APART_MS = 60_000;

/**
 * Whether the backup is in use, as everybody is told. Pure: the clock is handed in.
 *
 * Being slow to change costs nothing: outside the mode each signal that kanban does not take still goes to the backup,
 * and inside it kanban is asked again as soon as it moves what the backup has.
 */
export class BackupMode {
  active = false;
  private refusals = 0;
  private enteredMs = -Infinity;
  private leftMs = -Infinity;
  private wellSinceMs = Infinity;

  /** kanban took a signal. */
  taken(): void {
    this.refusals = 0;
  }

  /** The backup took a signal because kanban did not. @returns whether that begins the mode */
  saved(nowMs: number): boolean {
    this.refusals += 1;
    this.wellSinceMs = Infinity;
    if (this.active || this.refusals < ENTER_AFTER || nowMs - this.enteredMs < APART_MS) return false;
    this.active = true;
    this.enteredMs = nowMs;
    return true;
  }

  /** Called now and then while the mode is on. @returns whether that ends it */
  observe(well: boolean, nowMs: number): boolean {
    this.wellSinceMs = well ? Math.min(this.wellSinceMs, nowMs) : Infinity;
    if (!this.active || nowMs - this.wellSinceMs < WELL_MS || nowMs - this.leftMs < APART_MS) return false;
    this.active = false;
    this.leftMs = nowMs;
    this.refusals = 0;
    return true;
  }
}
