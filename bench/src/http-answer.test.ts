import { readAnswer } from './http-answer';

const answer = (...lines: string[]): Buffer => Buffer.from(lines.join('\r\n'));

describe('readAnswer', () => {
  const withLength = answer('HTTP/1.1 202 Accepted', 'Content-Length: 5', '', 'h\u00e9llo'.slice(0, 4));

  test('reads a body by its length in bytes', () => {
    expect(readAnswer(withLength)).toEqual({ status: 202, body: 'h\u00e9ll', keepAlive: true });
  });

  test('is null until the whole answer has arrived', () => {
    for (let length = 0; length < withLength.length; length += 1) {
      expect(readAnswer(withLength.subarray(0, length))).toBeNull();
    }
  });

  test('reads chunks, and is null until the last one has arrived', () => {
    const chunked = answer(
      'HTTP/1.1 503 X',
      'transfer-encoding: chunked',
      '',
      '3',
      'abc',
      'a',
      '0123456789',
      '0',
      '',
      '',
    );
    expect(readAnswer(chunked)).toEqual({ status: 503, body: 'abc0123456789', keepAlive: true });
    for (let length = 0; length < chunked.length; length += 1) {
      expect(readAnswer(chunked.subarray(0, length))).toBeNull();
    }
  });

  test('recognises that the server closes the connection', () => {
    const closing = answer(
      'HTTP/1.1 429 Too Many Requests',
      'Connection: close',
      'content-length: 0',
      '',
      '',
    );
    expect(readAnswer(closing)).toEqual({ status: 429, body: '', keepAlive: false });
  });
});
