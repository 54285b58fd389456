/** The answer of a server to one request. */
export interface Answer {
  status: number;
  body: string;
  /** Whether the server takes another request on this connection. */
  keepAlive: boolean;
}

/**
 * Reads one HTTP/1.1 answer from the bytes that have arrived; null while they are incomplete. It understands only the
 * answers to a GET, and to a POST without `Expect`: a length or chunks, no trailers, no interim answers. Node's own client would cost
 * more than the measured server.
 */
export function readAnswer(bytes: Buffer): Answer | null {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const head = bytes.toString('latin1', 0, headEnd);
  const body = readBody(bytes, headEnd + 4, head);
  if (body === null) return null;
  // "HTTP/1.1 202 Accepted"
  return { status: Number(head.slice(9, 12)), body, keepAlive: !/\r\nconnection: *close/i.test(head) };
}

function readBody(bytes: Buffer, start: number, head: string): string | null {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const end = start + Number(length);
    return bytes.length < end ? null : bytes.toString('utf8', start, end);
  }
  return /\r\ntransfer-encoding: *chunked/i.test(head) ? readChunks(bytes, start) : '';
}

function readChunks(bytes: Buffer, start: number): string | null {
  const parts: Buffer[] = [];
  for (let at = start; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (bytes.length < end) return null;
    if (size === 0) return Buffer.concat(parts).toString();
    parts.push(bytes.subarray(lineEnd + 2, end - 2));
    at = end;
  }
}
