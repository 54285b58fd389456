import { redactUrlList, redactUrls } from './redact';

test.each([
  ['connect nats://u:p@host:4222 failed', 'connect nats://***@host:4222 failed'],
  ['amqp://u:p@a, amqp://v:q@b', 'amqp://***@a, amqp://***@b'],
  ['"amqps://token@host/vhost"', '"amqps://***@host/vhost"'],
  ['nats://u:p@q@host', 'nats://***@host'],
  ['nats://host:4222 and alice@example.com', 'nats://host:4222 and alice@example.com'],
  ['', ''],
])('%j is logged as %j', (text, safe) => {
  expect(redactUrls(text)).toBe(safe);
});

test.each([
  ['nats://u:p@a:1,nats://b:2', 'nats://***@a:1,nats://b:2'],
  ['nats://u:p@a:1, tls://v:q@b:2', 'nats://***@a:1, tls://***@b:2'],
  ['nats://host:4222', 'nats://host:4222'],
  // Malformed: a password with a slash, a comma or without a scheme must not show either.
  ['nats://u:p/w@host', 'nats://***@host'],
  ['nats://u:p,w@host', 'nats://***@host'],
  ['u:p@host', '***@host'],
  ['nats://u:p@w@host', 'nats://***@host'],
])('the list %j is logged as %j', (urls, safe) => {
  expect(redactUrlList(urls)).toBe(safe);
});
