import { LogLife, LogUnsureError } from './log-life';

const log = (created: string, lastSeq: number): { created: string; lastSeq: number } => ({
  created,
  lastSeq,
});

test('the first log replaces none', () => {
  const life = new LogLife();
  expect(life.isReplaced(log('monday', 5), 0)).toBe(false);
  expect(life.begin(log('monday', 5))).toBe('monday');
});

test('a log with another creation time is another log, whatever its length', () => {
  const life = new LogLife();
  life.begin(log('monday', 5));
  expect(life.isReplaced(log('tuesday', 500), 5)).toBe(true);
  // Every reading says so until the log is followed.
  expect(life.isReplaced(log('tuesday', 501), 5)).toBe(true);
  expect(life.begin(log('tuesday', 501))).toBe('tuesday');
  expect(life.isReplaced(log('tuesday', 501), 501)).toBe(false);
});

test('a log that ends before the read position in several readings was set back', () => {
  const life = new LogLife();
  life.begin(log('monday', 5));
  expect(() => life.isReplaced(log('monday', 4), 5)).toThrow(LogUnsureError);
  expect(life.isReplaced(log('monday', 5), 5)).toBe(false);
  for (let look = 1; look <= 2; look += 1) {
    expect(() => life.isReplaced(log('monday', 4), 5)).toThrow(LogUnsureError);
  }
  expect(life.isReplaced(log('monday', 4), 5)).toBe(true);
  expect(life.begin(log('monday', 4))).toBe('monday set back to 4');
});
