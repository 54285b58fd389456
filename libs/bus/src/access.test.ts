import { accessOptions, type BusAccess } from './access';
import { encodeHeaders, headerValues } from './headers';
import { StateLosses } from './losses';

test.each<[what: string, url: string, access: BusAccess, expected: object]>([
  ['a plain address', 'nats://a:4222', {}, { servers: ['a:4222'], inboxPrefix: '_INBOX_kanban' }],
  ['several servers', 'nats://a:1, nats://b:2', {}, { servers: ['a:1', 'b:2'] }],
  ['a user of the configuration', 'nats://a:1', { user: 'u', password: 'p' }, { inboxPrefix: '_INBOX_u' }],
  ['a user in the URL', 'nats://u:p@a:1', {}, { servers: ['a:1'], inboxPrefix: '_INBOX_u' }],
  ['the user of the second URL', 'nats://a:1,nats://u:p@b:2', {}, { inboxPrefix: '_INBOX_u' }],
  ['a name that is no token of a subject', 'nats://a.b%20c:p@a:1', {}, { inboxPrefix: '_INBOX_a_b_c' }],
  // A token in the URL is a secret: it must not show in a subject.
  ['a token in the URL', 'nats://secret@a:1', {}, { inboxPrefix: '_INBOX_kanban' }],
  [
    'the configuration before the URL',
    'nats://u:p@a:1',
    { user: 'v', password: 'q' },
    { inboxPrefix: '_INBOX_v' },
  ],
  ['a TLS address', 'tls://a:1', {}, { tls: {} }],
  ['a file of a certificate authority', 'nats://a:1', { tls: { caFile: 'ca' } }, { tls: { caFile: 'ca' } }],
])('%s', (_, url, access, expected) => {
  expect(accessOptions(url, access, 'kanban')).toMatchObject(expected);
});

test('without TLS in address and configuration no TLS is asked for', () => {
  expect(accessOptions('nats://a:1', {}, 'kanban')).not.toHaveProperty('tls');
});

test.each<[what: string, url: string, access: BusAccess, answer: object | undefined]>([
  ['nobody', 'nats://a:1', {}, undefined],
  ['a user with a password', 'nats://u:p%40q@a:1', {}, { user: 'u', pass: 'p@q' }],
  ['a token', 'nats://secret@a:1', {}, { auth_token: 'secret' }],
  ['a user of the configuration', 'nats://x:y@a:1', { user: 'u', password: 'p' }, { user: 'u', pass: 'p' }],
])('%s answers the broker with its credentials', (_, url, access, answer) => {
  const { authenticator } = accessOptions(url, access, 'kanban');
  const [asked] = [authenticator].flat();
  expect(asked?.('nonce')).toEqual(answer);
});

test('a URL that is none is refused', () => {
  expect(() => accessOptions('not a url', {}, 'kanban')).toThrow(/Invalid URL/);
});

test('headers are encoded in order, and repeated names stay', () => {
  const bytes = encodeHeaders([
    ['Nats-Msg-Id', 'a:0'],
    ['traceparent', 'one'],
    ['traceparent', 'zwei ä'],
  ]) as unknown as { encode: () => Uint8Array };
  expect(Buffer.from(bytes.encode()).toString('utf8')).toBe(
    'NATS/1.0\r\nNats-Msg-Id: a:0\r\ntraceparent: one\r\ntraceparent: zwei ä\r\n\r\n',
  );
});

test('a message without headers has no values', () => {
  expect(headerValues(undefined, 'traceparent')).toEqual([]);
});

describe('losses of state', () => {
  const loss = (name: string, life = 'one') => ({ name, life });

  test('are told once, however many readers see them', () => {
    const told: string[] = [];
    const losses = new StateLosses(({ name, life }) => told.push(`${name} ${life}`));
    for (let i = 0; i < 3; i += 1) losses.add(loss('KANBAN'));
    losses.add(loss('KANBAN', 'two'));
    expect(told).toEqual(['KANBAN one', 'KANBAN two']);
    expect(losses.recent()).toHaveLength(2);
  });

  test('that turn out to be for good are told again', () => {
    const losses = new StateLosses();
    losses.add(loss('KV_tps_stops'));
    losses.add({ ...loss('KV_tps_stops'), gone: true });
    expect(losses.recent().map(({ gone }) => gone ?? false)).toEqual([false, true]);
  });

  test('are kept for ten minutes, and at most fifty of them', () => {
    const losses = new StateLosses();
    for (let i = 0; i < 60; i += 1) losses.add(loss(`S${i}`));
    expect(losses.recent().map(({ name }) => name)).toEqual(
      Array.from({ length: 50 }, (_, i) => `S${i + 10}`),
    );
    expect(losses.recent(Date.now() + 599_000)).toHaveLength(50);
    expect(losses.recent(Date.now() + 601_000)).toEqual([]);
  });
});
