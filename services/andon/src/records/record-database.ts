import { mkdir, rm } from 'node:fs/promises';
import { ClassicLevel } from 'classic-level';

export type Database = ClassicLevel<Buffer, Buffer>;

const CACHE_BYTES = 8 * 1024 ** 2;
const WRITE_BUFFER_BYTES = 4 * 1024 ** 2;

/**
 * Opens a database, and deletes one that cannot be read: the index in it can be built anew.
 * @returns null when another process uses the database
 */
export async function openDatabase(path: string): Promise<Database | null> {
  await mkdir(path, { recursive: true });
  const options = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;
  const sizes = { cacheSize: CACHE_BYTES, writeBufferSize: WRITE_BUFFER_BYTES };
  const database = (): Database => new ClassicLevel(path, { ...options, ...sizes });
  const db = database();
  try {
    await db.open();
    return db;
  } catch (error) {
    if (isLocked(error)) return null;
    await rm(path, { recursive: true, force: true });
    const empty = database();
    await empty.open();
    return empty;
  }
}

function isLocked(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: string } };
  return cause?.code === 'LEVEL_LOCKED';
}
