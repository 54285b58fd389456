import { parseDelivery } from './delivery';
import { encodeHeaders } from './headers';

const facts = {
  deliveries: 2,
  streamSeq: 17,
  consumerSeq: 5,
  storedAtMs: 1_700_000_000_123,
  pending: 9,
  consumer: 'a_1',
};

test.each([
  ['the classic form', '$JS.ACK.KANBAN.a_1.2.17.5.1700000000123456789.9'],
  ['the form with domain and account', '$JS.ACK._.acc.KANBAN.a_1.2.17.5.1700000000123456789.9'],
  ['the same with a token more', '$JS.ACK.hub.acc.KANBAN.a_1.2.17.5.1700000000123456789.9.r4nd0m'],
])('%s of a reply subject is read', (_, reply) => {
  expect(parseDelivery(reply)).toEqual(facts);
});

test.each(['', '_INBOX.abc', '$JS.ACK.short', '$JS.API.INFO'])('%j is no delivery', (reply) => {
  expect(parseDelivery(reply)).toBeNull();
});

test('headers are encoded in order, names repeated', () => {
  const encoded = encodeHeaders([
    ['a', '1'],
    ['a', '2'],
    ['b', ''],
  ]) as unknown as { encode(): Buffer };
  expect(encoded.encode().toString()).toBe('NATS/1.0\r\na: 1\r\na: 2\r\nb: \r\n\r\n');
});
