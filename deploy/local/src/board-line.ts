import { httpGet } from './probe';

const LIMIT_MS = 2_000;

/**
 * The state of the board, to be printed beside "UP": a process may be up while its line is RED. It is empty while the board is
 * GREEN, so that a healthy fleet prints the guide's text.
 */
export async function boardSuffix(api: string | undefined): Promise<string> {
  if (api === undefined) return '';
  try {
    return suffixIn((await httpGet(`${api}/health`, LIMIT_MS)).body);
  } catch {
    return '; board unknown: the gateway does not answer';
  }
}

/** @param health the body of `GET /health` */
export function suffixIn(health: string): string {
  const { board } = JSON.parse(health) as { board?: { colour: string; summary: string } | null };
  if (!board) return '; board unknown: andon does not answer';
  return board.colour === 'GREEN' ? '' : `; board ${board.summary}`;
}
