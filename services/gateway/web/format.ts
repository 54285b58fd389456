/** Writes a duration: 3 s, 12 min, 5 h, 2 d. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

export function number(value: number): string {
  const digits = Math.abs(value) < 10 ? 1 : 0;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

/** Names a line or station for people. Browsers cannot load @tps/contracts; a test compares this with its `lineName`. */
export function lineName(line: string): string {
  return line.startsWith('station:') ? `station ${line.slice('station:'.length)}` : line;
}

const TIME = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;

/** Writes a moment as every page does: 24 hours, and the date if it is not today. */
export function clock(at: string, nowMs = Date.now()): string {
  const time = new Date(at);
  const today = time.toDateString() === new Date(nowMs).toDateString();
  const date = today ? '' : `${time.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })} `;
  return date + time.toLocaleTimeString('en-GB', TIME);
}

export function words(name: string): string {
  return name.replaceAll('_', ' ');
}
