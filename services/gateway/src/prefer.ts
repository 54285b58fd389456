import type { IncomingMessage } from 'node:http';
import { header } from './problem';

const MAX_WAIT_S = 60;

export interface Preferences {
  respondAsync: boolean;
  waitMs: number;
}

const NONE: Preferences = { respondAsync: false, waitMs: 0 };

/** The `Prefer` header (RFC 7240). What is not understood is ignored, as the standard asks. */
export function preferences(req: IncomingMessage): Preferences {
  const given = header(req, 'prefer');
  if (given === undefined) return NONE;
  const wanted = given.split(',').map((entry) => entry.split(';')[0]!.trim().toLowerCase());
  const wait = wanted.map((entry) => /^wait\s*=\s*"?(\d{1,9})"?$/.exec(entry)?.[1]).find(Boolean);
  return {
    respondAsync: wanted.includes('respond-async'),
    waitMs: Math.min(Number(wait ?? 0), MAX_WAIT_S) * 1_000,
  };
}
