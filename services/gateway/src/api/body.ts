import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { type Fault, MAX_BODY_BYTES, parseJson, type ParsedJson } from '@tps/contracts';
import { ApiError } from '../problem';

/** curl's default for `-d` counts as JSON, and so does a missing type. */
const JSON_TYPES = /^(application\/json|application\/[\w.-]+\+json|application\/x-www-form-urlencoded)$/;

/**
 * Reads the body as JSON. Every operation reads through here, so none can lose a repeated key or a number that a double
 * does not hold: both are refused. Reads at most the limit, and nothing at all if the headers are refused.
 * @param refuse makes the error that names the faults
 * @throws ApiError
 */
export async function readJson(
  req: IncomingMessage,
  refuse: (faults: Fault[]) => ApiError,
): Promise<unknown> {
  checkHeaders(req);
  return parsed(await readBytes(req), refuse);
}

/** Reads a body that may be missing: `undefined` then. */
export async function readOptionalJson(
  req: IncomingMessage,
  refuse: (faults: Fault[]) => ApiError,
): Promise<unknown> {
  const { 'transfer-encoding': encoding, 'content-length': length } = req.headers;
  if (encoding === undefined && !(Number(length) > 0)) return undefined;
  checkHeaders(req);
  const bytes = await readBytes(req);
  // A chunked body shows only at its end that it is empty.
  return bytes.length === 0 ? undefined : parsed(bytes, refuse);
}

function parsed(bytes: Buffer, refuse: (faults: Fault[]) => ApiError): unknown {
  if (bytes.length === 0) throw new ApiError('INVALID_JSON', 'The body is empty.');
  if (!isUtf8(bytes)) throw new ApiError('INVALID_JSON', 'The body is not UTF-8.');
  const { value, faults } = parse(bytes.toString('utf8'));
  if (faults.length > 0) throw refuse(faults);
  return value;
}

function parse(text: string): ParsedJson {
  try {
    return parseJson(text);
  } catch (error) {
    const mark = text.startsWith('\ufeff') ? 'The body begins with a byte order mark: ' : '';
    throw new ApiError('INVALID_JSON', mark + (error as SyntaxError).message);
  }
}

function checkHeaders(req: IncomingMessage): void {
  const encoding = req.headers['content-encoding'];
  if (encoding && encoding !== 'identity') {
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Send the body uncompressed.', {
      headers: { 'accept-encoding': 'identity' },
    });
  }
  const [type = '', ...parameters] = (req.headers['content-type'] ?? '').toLowerCase().split(';');
  const charsets = parameters.map((parameter) => parameter.trim()).filter((p) => p.startsWith('charset'));
  const readable = !type.trim() || JSON_TYPES.test(type.trim());
  if (!readable || !charsets.every((charset) => /^charset="?(utf-8|us-ascii)"?$/.test(charset))) {
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as application/json in UTF-8.');
  }
  if (Number(req.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
}

function readBytes(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) return void chunks.push(chunk);
      req.off('data', take);
      reject(tooLarge());
    };
    const broken = (): void => reject(new ApiError('INVALID_JSON', 'The connection ended before the body.'));
    const done = (): void => {
      // Every request closes in the end: no error is built for those that were read whole.
      req.off('close', broken);
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    };
    req.on('data', take).once('end', done);
    req.once('error', broken).once('close', broken);
  });
}

function tooLarge(): ApiError {
  return new ApiError('PAYLOAD_TOO_LARGE', `The body is larger than ${MAX_BODY_BYTES} bytes.`);
}
