import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** Replaces the file atomically, so that a reader sees the old content or the new one. */
export function writeJson(path: string, value: unknown): void {
  const fresh = `${path}.${process.pid}.new`;
  writeFileSync(fresh, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(fresh, path);
}

/** Reads a file of this program, without a check of its shape. Undefined when it is missing or broken. */
export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}
