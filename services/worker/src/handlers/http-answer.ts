import type { IncomingMessage } from 'node:http';
import { pipeline, type Readable, type Transform } from 'node:stream';
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { textFaults } from '@tps/contracts';

export interface HttpAnswer {
  status: number;
  headers: Record<string, string>;
  /** The parsed value of a JSON body, the text of a text body, or base64; null without a body. */
  body: unknown;
  encoding?: 'base64';
  /** The answer was longer than 64 KiB, or broke off; the rest was not read. */
  truncated?: true;
  /** The reason why the body is not what its content type promises. */
  note?: string;
}

const MAX_ANSWER_BYTES = 64 * 1024;
const KEPT_HEADERS = [
  'content-type',
  'date',
  'etag',
  'last-modified',
  'location',
  'retry-after',
  'x-request-id',
];
/** Accepts the end of the body as the end of the data, because an empty body (HEAD) is no broken gzip. */
const LENIENT = { finishFlush: constants.Z_SYNC_FLUSH };
/** Requests accept gzip; some hosts send the other codings all the same. */
const DECODERS = new Map<string, () => Transform>([
  ['gzip', () => createGunzip(LENIENT)],
  ['x-gzip', () => createGunzip(LENIENT)],
  ['deflate', () => createInflate(LENIENT)],
  ['br', () => createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH })],
]);
/** Not every reader of records can read deeper JSON; JSON.stringify() fails at some thousands of levels. */
const MAX_DEPTH = 100;
/** Strings, brackets and numbers of valid JSON. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[[\]{}]|-?\d[^\s,\]}]*/g;
/** A note quotes this many characters of its subject. */
const QUOTED = 30;

/**
 * Reads the answer to a successful delivery. It never throws: a host that answered 2xx has the delivery and must not get
 * it again, whatever is wrong with the body. The result can be written as JSON in less than 256 KiB.
 *
 * @param limitMs how long the rest may take after the header
 */
export async function readAnswer(response: IncomingMessage, limitMs: number): Promise<HttpAnswer> {
  const { bytes, cut, broken } = await readBytes(response, limitMs);
  const body = bodyOf(response, bytes, cut);
  const note = broken ?? body.note ?? undecoded(response);
  return {
    ...{ status: response.statusCode ?? 0, headers: keptHeaders(response), ...body },
    ...(cut ? { truncated: true } : {}),
    ...(note ? { note } : {}),
  };
}

function keptHeaders({ headers }: IncomingMessage): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of KEPT_HEADERS) if (headers[name] !== undefined) kept[name] = String(headers[name]);
  return kept;
}

/** `cut`: the rest is missing. */
async function readBytes(
  response: IncomingMessage,
  limitMs: number,
): Promise<{ bytes: Buffer; cut: boolean; broken?: string }> {
  const chunks: Buffer[] = [];
  let size = 0;
  const source = decoded(response);
  const timer = setTimeout(() => source.destroy(new Error(`not at its end within ${limitMs} ms`)), limitMs);
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      // Leaving the loop ends the connection.
      if (size > MAX_ANSWER_BYTES) break;
    }
    return { bytes: Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES), cut: size > MAX_ANSWER_BYTES };
  } catch (error) {
    const broken = `the answer broke off: ${(error as Error).message}`;
    return { bytes: Buffer.concat(chunks), cut: true, broken };
  } finally {
    clearTimeout(timer);
  }
}

/** Decodes the body; a body in an unknown coding, or in several, stays as it came. */
function decoded(response: IncomingMessage): Readable {
  const decoder = DECODERS.get(codingOf(response));
  // Ends the connection when the decoder ends early, and the other way round.
  return decoder ? pipeline(response, decoder(), () => undefined) : response;
}

function codingOf({ headers }: IncomingMessage): string {
  return (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
}

function undecoded(response: IncomingMessage): string | undefined {
  const coding = codingOf(response);
  if (coding === 'identity' || DECODERS.has(coding)) return undefined;
  return `content-encoding ${coding.slice(0, QUOTED)} is not decoded`;
}

function bodyOf(
  { headers }: IncomingMessage,
  bytes: Buffer,
  cut: boolean,
): Pick<HttpAnswer, 'body' | 'encoding' | 'note'> {
  if (bytes.length === 0) return { body: null };
  const text = asText(bytes, cut);
  if (text === undefined) return { body: bytes.toString('base64'), encoding: 'base64' };
  if (cut || !/[/+]json\b/.test(headers['content-type'] ?? '')) return { body: text };
  try {
    const body: unknown = JSON.parse(text);
    const loss = lossOf(text);
    return loss ? { body: text, note: `kept as text: ${loss}` } : { body };
  } catch {
    return { body: text, note: 'kept as text: it is no JSON' };
  }
}

/** Accepts UTF-8 without control characters, which take six times their size in JSON. `cut` text may end inside a character. */
function asText(bytes: Uint8Array, cut: boolean): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: cut });
    return /[^\P{Cc}\t\r\n]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Tells why JSON would change when it is parsed and written again; null if it would not. */
function lossOf(json: string): string | null {
  let depth = 0;
  let growth = 0;
  for (const [token] of json.matchAll(TOKENS)) {
    if (token.startsWith('"')) continue;
    if (token === '[' || token === '{') depth += 1;
    else if (token === ']' || token === '}') depth -= 1;
    else growth += String(Number(token)).length - token.length;
    if (depth > MAX_DEPTH) return `it is nested deeper than ${MAX_DEPTH} levels`;
  }
  if (growth > MAX_ANSWER_BYTES) return 'it would more than double when it is written again';
  const [fault] = textFaults(json, 1);
  if (!fault) return null;
  const place = fault.path.slice(0, QUOTED) || 'it';
  return fault.rule === 'once' ? `it has ${place} twice` : `${place} is a number that no double holds`;
}
