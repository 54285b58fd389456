import { BackupMode } from './backup-mode';

/** Moves through time in steps of a second; returns the seconds at which the mode changed. */
function run(seconds: number, up: (second: number) => boolean): { changes: number[]; active: boolean } {
  const mode = new BackupMode();
  const changes: number[] = [];
  for (let second = 0; second < seconds; second += 1) {
    const was = mode.active;
    for (let signal = 0; signal < 10; signal += 1) {
      if (up(second)) mode.onKanbanTook();
      else mode.onBackupTook(second * 1_000);
    }
    if (mode.active) mode.observe(up(second), second * 1_000);
    if (mode.active !== was) changes.push(second);
  }
  return { changes, active: mode.active };
}

test('signals that kanban takes change nothing', () => {
  expect(run(300, () => true)).toEqual({ changes: [], active: false });
});

test('a signal that it refuses now and then is no reason', () => {
  const mode = new BackupMode();
  for (let n = 0; n < 100; n += 1) {
    expect(mode.onBackupTook(n * 100)).toBe(false);
    expect(mode.onBackupTook(n * 100)).toBe(false);
    mode.onKanbanTook();
  }
});

test('an outage begins the mode at the third signal, and ten seconds of health end it', () => {
  expect(run(200, (second) => second < 5 || second >= 65)).toEqual({ changes: [5, 75], active: false });
});

test.each([
  ['every three seconds', 6, 3],
  ['every five seconds', 10, 5],
  ['for twelve seconds of sixteen', 16, 4],
  ['for a second of fifteen', 15, 1],
  ['for half of every minute', 60, 30],
])('down %s: at most two changes in any minute', (_, period, down) => {
  const { changes } = run(3_600, (second) => second % period >= down);
  const windows = changes.map((from) => changes.filter((at) => at >= from && at < from + 60).length);
  expect(Math.max(0, ...windows)).toBeLessThanOrEqual(2);
  expect(changes.length).toBeGreaterThan(0);
});
