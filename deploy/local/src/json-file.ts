import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** Replaces the file as a whole, so that a reader sees the old content or the new, never a part. */
export function writeJson(path: string, value: unknown): void {
  const fresh = `${path}.${process.pid}.new`;
  writeFileSync(fresh, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(fresh, path);
}

/** Only for files this program wrote itself: the shape is not checked. Nothing when there is none. */
export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}
