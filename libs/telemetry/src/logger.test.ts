import { PassThrough } from 'node:stream';
import { transports } from 'winston';
import { createLogger } from './logger';
import { redactUrls } from './redact';

test.each([
  [
    'connect ECONNREFUSED amqp://guest:pa:ss@host:5672/vhost',
    'connect ECONNREFUSED amqp://***@host:5672/vhost',
  ],
  ['nats://u:p@a:1,nats://token@b:2', 'nats://***@a:1,nats://***@b:2'],
  ['nats://u:p,w@a:1,nats://b', 'nats://***@a:1,nats://b'],
  ['"http://u:p@x/y?z=a@b"', '"http://***@x/y?z=a@b"'],
  ['see http://host/a@b and me@example.com', 'see http://host/a@b and me@example.com'],
])('%s', (text, shown) => expect(redactUrls(text)).toBe(shown));

test('a line has no credentials, wherever they came from, and stays one line', () => {
  const lines: string[] = [];
  const stream = new PassThrough().on('data', (line: Buffer) => lines.push(line.toString()));
  const log = createLogger('tps-test', 'one', 'info');
  log.clear().add(new transports.Stream({ stream }));
  const url = 'amqp://me:geheim@host';
  const error = new Error(`failed: ${url}`, { cause: new Error(url) });
  log.error(`lost ${url}`, { error, nested: { list: [url] }, signal_id: 'a\nlevel=error' });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^[^\n]*\n$/);
  expect(lines[0]).not.toContain('geheim');
  expect(JSON.parse(lines[0]!)).toMatchObject({
    message: 'lost amqp://***@host',
    error: { message: 'failed: amqp://***@host', cause: 'amqp://***@host' },
    nested: { list: ['amqp://***@host'] },
  });
});

test('an error that cannot be read does not keep its line from being written', () => {
  const lines: string[] = [];
  const stream = new PassThrough().on('data', (line: Buffer) => lines.push(line.toString()));
  const log = createLogger('tps-test', 'one', 'info');
  log.clear().add(new transports.Stream({ stream }));
  const trap = (): never => {
    throw new Error('trap');
  };
  log.warn('first', { error: new Proxy(new Error('x'), { get: trap, getPrototypeOf: trap }) });
  log.warn('second', {
    error: Object.defineProperty(new Error('x', { cause: new Error('y') }), 'stack', { get: trap }),
  });
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { message: 'first', error: { message: expect.stringContaining('cannot be read') as string } },
    { message: 'second', error: { message: 'x', cause: 'y' } },
  ]);
});
