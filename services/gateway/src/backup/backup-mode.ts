/** The mode begins after this many signals in a row that kanban did not take. */
const ENTER_AFTER = 3;
/** The mode ends when kanban has drained the backup without a fault for this long. */
const HEALTHY_MS = 10_000;
/** Two changes in the same direction are at least this far apart, so a flapping broker changes the mode twice a minute. */
const APART_MS = 60_000;

/**
 * Decides whether the backup mode is on, as the board shows it. Pure: the clock is handed in.
 *
 * Changing late costs nothing. Outside the mode, each signal that kanban does not take still goes to the backup; inside
 * the mode, kanban is asked first again as soon as it drains the backup (signals/submit-route.ts).
 */
export class BackupMode {
  active = false;
  private outages = 0;
  private enteredMs = -Infinity;
  private leftMs = -Infinity;
  private healthySinceMs = Infinity;

  /** kanban took a signal. */
  onKanbanTook(): void {
    this.outages = 0;
  }

  /** The backup took a signal because kanban did not. @returns whether that begins the mode */
  onBackupTook(nowMs: number): boolean {
    this.outages += 1;
    this.healthySinceMs = Infinity;
    if (this.active || this.outages < ENTER_AFTER || nowMs - this.enteredMs < APART_MS) return false;
    this.active = true;
    this.enteredMs = nowMs;
    return true;
  }

  /** Called once a second while the mode is on. @returns whether that ends the mode */
  observe(drains: boolean, nowMs: number): boolean {
    this.healthySinceMs = drains ? Math.min(this.healthySinceMs, nowMs) : Infinity;
    if (!this.active || nowMs - this.healthySinceMs < HEALTHY_MS || nowMs - this.leftMs < APART_MS)
      return false;
    this.active = false;
    this.leftMs = nowMs;
    this.outages = 0;
    return true;
  }
}
