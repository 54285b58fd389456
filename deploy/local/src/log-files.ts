import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from './settings';

const ROTATE_BYTES = 16 * 1024 * 1024;
const TAIL_BYTES = 64 * 1024;

export function logFile(paths: Paths, name: string): string {
  return join(paths.logs, `${name}.log`);
}

/**
 * Opens a log for appending. A long log is renamed to `.1` first. That happens only when a process starts, because
 * processes write directly to the descriptor.
 */
export function openLog(paths: Paths, name: string): number {
  mkdirSync(paths.logs, { recursive: true });
  const file = logFile(paths, name);
  if (sizeOf(file) > ROTATE_BYTES) renameSync(file, `${file}.1`);
  return openSync(file, 'a');
}

export function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}

/** The last lines of a log, from byte `from` on. */
export function lastLines(file: string, count: number, from = 0): string[] {
  const size = sizeOf(file);
  const text = readRange(file, Math.max(from, size - TAIL_BYTES), size);
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count);
}

/** Bytes `from` to `to` as text; empty when the file is missing. */
export function readRange(file: string, from: number, to: number): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch {
    return '';
  }
  try {
    const length = Math.max(0, Math.min(to, fstatSync(descriptor).size) - from);
    const buffer = Buffer.alloc(length);
    return buffer.toString('utf8', 0, readSync(descriptor, buffer, 0, length, from));
  } finally {
    closeSync(descriptor);
  }
}
