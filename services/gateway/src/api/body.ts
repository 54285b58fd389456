import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { MAX_BODY_BYTES } from '@tps/contracts';
import { ApiError } from '../problem';

/** curl's default for `-d` counts as JSON; who sends nothing at all means JSON too. */
const JSON_TYPES = /^(application\/json|application\/[\w.-]+\+json|application\/x-www-form-urlencoded)$/;

/**
 * The body as JSON. Reads no more than the limit, and nothing of a body that is refused by its headers.
 * @throws ApiError
 */
export async function readJson(req: IncomingMessage): Promise<unknown> {
  checkHeaders(req);
  const bytes = await readBytes(req);
  if (bytes.length === 0) throw new ApiError('INVALID_JSON', 'The body is empty.');
  if (!isUtf8(bytes)) throw new ApiError('INVALID_JSON', 'The body is not UTF-8.');
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch (error) {
    throw new ApiError('INVALID_JSON', (error as SyntaxError).message);
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
  const charset = parameters.map((parameter) => parameter.trim()).find((p) => p.startsWith('charset='));
  const readable = !type.trim() || JSON_TYPES.test(type.trim());
  if (!readable || (charset && !/^charset="?(utf-8|us-ascii)"?$/.test(charset))) {
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
