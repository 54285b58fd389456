/** 3 s, 12 min, 5 h, 2 d */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

export function since(at: string, now = Date.now()): string {
  return age(now - Date.parse(at));
}

export function number(value: number): string {
  const digits = Math.abs(value) < 10 ? 1 : 0;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

/** A line as people read it. Browsers cannot load @tps/contracts; a test holds this against its `lineName`. */
export function lineName(line: string): string {
  return line.startsWith('station:') ? `station ${line.slice('station:'.length)}` : line;
}

export function clock(at: string): string {
  const time = new Date(at);
  const today = time.toDateString() === new Date().toDateString();
  return today
    ? time.toLocaleTimeString()
    : time.toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'short' });
}

export function words(name: string): string {
  return name.replaceAll('_', ' ');
}
