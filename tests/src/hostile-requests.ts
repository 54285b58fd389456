/** The expected answer: status and problem code, a status alone where the request is only odd, or 'closed' for none. */
type Expected = [status: number, code?: string] | 'closed';

export interface Hostile {
  name: string;
  bytes: string | Buffer;
  answer: Expected;
}

type Row = [name: string, bytes: string | Buffer, answer: Expected];

const AUTH = 'Authorization: Bearer client-token';
const SIGNAL = '{"signal_type":"execute","payload":{}}';
const BODY_LIMIT = 262_144;

const lines = (...all: string[]): string => `${all.join('\r\n')}\r\n\r\n`;
export const get = (path: string, ...headers: string[]): string =>
  lines(`GET ${path} HTTP/1.1`, 'Host: x', AUTH, ...headers);
/** A request of its own with these headers; the length is right unless a header says another. */
export function post(body: string | Buffer, ...headers: string[]): Buffer {
  const framed = headers.some((header) => /^(content-length|transfer-encoding)\s*:/i.test(header));
  const length = framed ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  const head = lines('POST /signal HTTP/1.1', 'Host: x', AUTH, ...length, ...headers);
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)]);
}
const chunked = (chunks: string, ...headers: string[]): Buffer =>
  post(chunks, 'Transfer-Encoding: chunked', ...headers);
const signal = (fields: string): Buffer => post(`{"signal_type":"execute","payload":{},${fields}}`);
export const payload = (json: string): Buffer => post(`{"signal_type":"execute","payload":${json}}`);

const badRequest: Expected = [400, 'INVALID_REQUEST'];
const badJson: Expected = [400, 'INVALID_JSON'];
const badSignal: Expected = [400, 'INVALID_SIGNAL'];
const badMedia: Expected = [415, 'UNSUPPORTED_MEDIA_TYPE'];
const tooLarge: Expected = [413, 'PAYLOAD_TOO_LARGE'];
const headersTooLarge: Expected = [431, 'HEADERS_TOO_LARGE'];
const unauthorized: Expected = [401, 'UNAUTHORIZED'];
const missing: Expected = [404, 'NOT_FOUND'];

const FRAMING: Row[] = [
  ['length and chunks', post(SIGNAL, 'Content-Length: 4', 'Transfer-Encoding: chunked'), badRequest],
  ['two lengths', post(SIGNAL, 'Content-Length: 37', 'Content-Length: 3'), badRequest],
  ['a length with a sign', post(SIGNAL, 'Content-Length: +37'), badRequest],
  ['a negative length', post(SIGNAL, 'Content-Length: -1'), badRequest],
  ['a length in hex', post(SIGNAL, 'Content-Length: 0x25'), badRequest],
  ['a length beyond counting', post(SIGNAL, `Content-Length: ${'9'.repeat(30)}`), badRequest],
  ['an unknown transfer encoding', post(SIGNAL, 'Transfer-Encoding: xchunked'), badRequest],
  ['chunked, but not last', post(SIGNAL, 'Transfer-Encoding: chunked, gzip'), badRequest],
  ['a space before the colon', post(SIGNAL, 'Content-Length : 37'), badRequest],
  ['a chunk size that is none', chunked('zz\r\n'), badRequest],
  ['a chunk size beyond counting', chunked(`${'f'.repeat(20)}\r\n`), badRequest],
  ['a chunk longer than it says', chunked('2\r\n{}}}\r\n0\r\n\r\n'), badRequest],
  ['chunk extensions without end', chunked(`1;${'a'.repeat(20_000)}\r\n{\r\n0\r\n\r\n`), tooLarge],
  ['lines that end in LF', get('/info').replaceAll('\r\n', '\n'), badRequest],
  ['a folded header', get('/info', 'X-A: 1\r\n folded'), badRequest],
  ['NUL in a header', get('/info', 'X-A: a\0b'), badRequest],
  ['a bare CR in a header', get('/info', 'X-A: a\rX-B: b'), badRequest],
  ['a header without a name', get('/info', ': a'), badRequest],
  ['no host', lines('GET /info HTTP/1.1', AUTH), [400]],
  ['HTTP/0.9', 'GET /info\r\n\r\n', unauthorized],
  ['HTTP/9.9', get('/info').replace('HTTP/1.1', 'HTTP/9.9'), badRequest],
  ['HTTP/2 out of the blue', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', badRequest],
  ['TLS on the plain port', Buffer.from('16030100a5010000a10303', 'hex'), badRequest],
  ['noise', Buffer.from(Array.from({ length: 512 }, (_, i) => (i * 73) % 256)), badRequest],
  ['a request behind a broken one', `GET / HTP\r\n\r\n${get('/info')}`, badRequest],
];

const HEADERS_AND_PATHS: Row[] = [
  ['a header bomb', get('/info', `X-A: ${'a'.repeat(20_000)}`), headersTooLarge],
  ['many headers', get('/info', ...Array.from({ length: 3_000 }, (_, i) => `X-${i}: 1`)), headersTooLarge],
  ['an endless URL', get(`/${'a'.repeat(20_000)}`), headersTooLarge],
  ['a token of 8 KiB', get('/info').replace('client-token', 'x'.repeat(8_192)), unauthorized],
  ['no token', get('/info').replace(`${AUTH}\r\n`, ''), unauthorized],
  ['another scheme', get('/info').replace('Bearer', 'Basic'), unauthorized],
  ['a token and more', get('/info').replace('client-token', 'client-token x'), unauthorized],
  ['two tokens', get('/info', 'Authorization: Bearer operator-token'), unauthorized],
  ['a line break in a token', get('/info').replace('client-', 'x\r\nX-Token: '), unauthorized],
  [
    "a client's token for an operator's work",
    deletion('018f4f6e-0000-7000-8000-000000000000'),
    [403, 'FORBIDDEN'],
  ],
  ['an unknown method', get('/info').replace('GET', 'BREW'), badRequest],
  ['a method in lower case', get('/info').replace('GET', 'get'), badRequest],
  ['TRACE', get('/info').replace('GET', 'TRACE'), [405, 'METHOD_NOT_ALLOWED']],
  ['PATCH', get('/signal').replace('GET', 'PATCH'), [405, 'METHOD_NOT_ALLOWED']],
  ['CONNECT', get('example.com:443').replace('GET', 'CONNECT'), 'closed'],
  ['an upgrade', get('/info', 'Connection: upgrade', 'Upgrade: websocket'), [200]],
  ['a way out of the root', get('/../../../../etc/passwd'), missing],
  ['the same, encoded', get('/%2e%2e/%2e%2e/etc/passwd'), missing],
  ['the same, with backslashes', get('/..\\..\\etc\\passwd'), missing],
  ['a double slash', get('//info'), missing],
  ['prototype as a path', get('/__proto__'), missing],
  ['a path that cannot be decoded', get('/signal/%zz'), badRequest],
  ['NUL in an id', get('/signal/%00'), badRequest],
  ['overlong UTF-8 in an id', get('/signal/%c0%ae%c0%ae'), badRequest],
  ['a subject as an id', get('/signal/%3E'), badRequest],
  ['an id of 8 KiB', get(`/signal/${'a'.repeat(8_192)}`), badRequest],
  ['a line break in a path', get('/signal/%0d%0aSet-Cookie:a=b'), badRequest],
  ['a second question mark', get('/signals?type=execute?status=failed'), badRequest],
  ['a parameter twice', get('/signals?type=execute&type=report'), badRequest],
  ['a parameter that cannot be decoded', get('/signals?type=%zz'), badRequest],
  ['a parameter where there is none', get('/info?verbose'), badRequest],
  ['a fragment', get('/signals?type=execute#status=failed'), badRequest],
  ['raw bytes in a URL', get('/signals?type=\xe9'), badRequest],
  ['a body where there is none', post(SIGNAL).toString().replace('POST /signal', 'GET /info'), badRequest],
  ['the URL of another host', get('http://169.254.169.254/info'), [200]],
  ['garbage as wishes and trace', get('/info', 'Prefer: ;;=,', 'traceparent: 00-zz', 'tracestate: ='), [200]],
];

const BODIES: Row[] = [
  ['nothing', post(''), badJson],
  ['half', post('{"signal_type":'), badJson],
  ['a trailing comma', post('{"signal_type":"execute","payload":{},}'), badJson],
  ['NaN', payload('{"n":NaN}'), badJson],
  ['no UTF-8', post(Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d])), badJson],
  ['UTF-16', post(Buffer.from(SIGNAL, 'utf16le')), badJson],
  ['a byte order mark', post(`\ufeff${SIGNAL}`), badJson],
  ['nesting to the stack', post('['.repeat(200_000)), badJson],
  ['nesting that is JSON', payload(`{"a":${'['.repeat(500)}${']'.repeat(500)}}`), badSignal],
  ['__proto__', payload('{"__proto__":{"polluted":true}}'), badSignal],
  ['__proto__ beside the fields', signal('"__proto__":{"priority":1}'), badSignal],
  ['constructor.prototype', payload('{"constructor":{"prototype":{"polluted":1}}}'), badSignal],
  ['a number beyond range', payload('{"n":1e999}'), badSignal],
  ['a whole number that no double holds', payload('{"n":9007199254740993}'), badSignal],
  ['doubled keys', payload('{"a":1,"\\u0061":2}'), badSignal],
  ['a priority of 5,000 digits', signal(`"priority":${'1'.repeat(5_000)}`), badSignal],
  ['a time-out that is no whole number', signal('"timeout_ms":1e-9'), badSignal],
  ['NUL in a type', post('{"signal_type":"execute\\u0000","payload":{}}'), badSignal],
  ['a subject as a type', post('{"signal_type":"execute.1.>","payload":{}}'), badSignal],
  ['a type that nobody has', post('{"signal_type":"tostring","payload":{}}'), [400, 'UNKNOWN_SIGNAL_TYPE']],
  ['20,000 keys', payload(`{${Array.from({ length: 20_000 }, (_, i) => `"${i}":1`).join()}}`), badSignal],
  ['too much, announced', post('', `Content-Length: ${BODY_LIMIT + 1}`), tooLarge],
  ['too much, asked before', post('', `Content-Length: ${1e9}`, 'Expect: 100-continue'), tooLarge],
  [
    'too much, in chunks',
    chunked(`${(BODY_LIMIT + 1).toString(16)}\r\n${' '.repeat(BODY_LIMIT + 1)}`),
    tooLarge,
  ],
  ['an expectation that nobody meets', post(SIGNAL, 'Expect: 200-ok'), [417]],
  ['a compressed bomb', post(Buffer.from('1f8b0800', 'hex'), 'Content-Encoding: gzip'), badMedia],
  ['compressed twice', post(SIGNAL, 'Content-Encoding: br, gzip'), badMedia],
  [
    'XML',
    post('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', 'Content-Type: text/xml'),
    badMedia,
  ],
  ['a form with parts', post('--x', 'Content-Type: multipart/form-data; boundary=x'), badMedia],
  ['two content types', post(SIGNAL, 'Content-Type: application/json', 'Content-Type: text/xml'), badMedia],
  ['another charset', post(SIGNAL, 'Content-Type: application/json; charset=utf-7'), badMedia],
  ['a key with a slash', post(SIGNAL, 'Idempotency-Key: a/b'), badRequest],
  ['a key with a star', post(SIGNAL, 'Idempotency-Key: *'), badRequest],
  [
    'a key with a slash after 1,500 headers',
    post(SIGNAL, ...Array.from({ length: 1_500 }, () => 'A:'), 'Idempotency-Key: a/b'),
    badRequest,
  ],
  ['two keys', post(SIGNAL, 'Idempotency-Key: a', 'Idempotency-Key: b'), badRequest],
  ['a wait that is no number', post(SIGNAL, 'Prefer: wait=abc'), badRequest],
  ['a key too long', post(SIGNAL, `Idempotency-Key: ${'k'.repeat(65)}`), badRequest],
  ['an empty key', post(SIGNAL, 'Idempotency-Key: '), badRequest],
];

function deletion(id: string): string {
  return get(`/signal/${id}`).replace('GET', 'DELETE');
}

export const HOSTILE: Hostile[] = [...FRAMING, ...HEADERS_AND_PATHS, ...BODIES].map(
  ([name, bytes, answer]) => ({ name, bytes, answer }),
);
