/** Builds the bytes of a POST with a JSON body. */
export function postRequest(path: string, body: object, token = ''): Buffer {
  const text = JSON.stringify(body);
  const authorization = token ? `authorization: Bearer ${token}\r\n` : '';
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${authorization}content-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}

/** Builds the bytes of a GET. */
export function getRequest(path: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n\r\n`);
}

/** @returns the body of such a request */
export function bodyOf(request: Buffer): string {
  return request.subarray(request.indexOf('\r\n\r\n') + 4).toString();
}
