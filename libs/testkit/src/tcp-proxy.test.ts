import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { TcpProxy } from './tcp-proxy';
import { waitFor } from './wait';

let server: Server;
let proxy: TcpProxy;
let received = '';

beforeEach(async () => {
  received = '';
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      received += chunk.toString();
      socket.write(chunk);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  proxy = await TcpProxy.start((server.address() as AddressInfo).port);
});
afterEach(async () => {
  await proxy.stop();
  server.close();
});

interface Client {
  socket: Socket;
  got: string;
  error?: string;
}
async function connectClient(): Promise<Client> {
  const client: Client = { socket: connect(proxy.port, '127.0.0.1'), got: '' };
  client.socket.on('data', (chunk) => (client.got += chunk.toString()));
  client.socket.on('error', (error: NodeJS.ErrnoException) => (client.error = error.code ?? error.message));
  await new Promise((done) => client.socket.once('connect', done).once('close', done));
  return client;
}

test('pass forwards both ways; refuse resets old and new connections', async () => {
  const client = await connectClient();
  client.socket.write('one');
  await waitFor('the echo', () => client.got === 'one');
  proxy.set('refuse');
  await waitFor('the reset', () => client.error === 'ECONNRESET');
  const next = await connectClient();
  await waitFor('the next to be reset', () => next.socket.destroyed);
  proxy.set('pass');
  const last = await connectClient();
  last.socket.write('two');
  await waitFor('the echo', () => last.got === 'two');
});

test('deaf: the server receives and the client does not; leaving the mode resets the connection', async () => {
  const client = await connectClient();
  client.socket.write('one');
  await waitFor('the echo', () => client.got === 'one');
  proxy.set('deaf');
  client.socket.write('two');
  await waitFor('the server to receive', () => received === 'onetwo');
  proxy.set('pass');
  await waitFor('the reset', () => client.socket.destroyed);
  expect(client.got).toBe('one');
});

test('hang: old and new connections stay open, and nothing arrives', async () => {
  const client = await connectClient();
  await waitFor('the connection to the server', () => proxy.connections === 1);
  proxy.set('hang');
  client.socket.write('one');
  const next = await connectClient();
  next.socket.write('two');
  await waitFor('both connections', () => proxy.connections === 2);
  expect([received, client.got, client.socket.destroyed]).toEqual(['', '', false]);
  proxy.set('pass');
  await waitFor('the reset', () => client.socket.destroyed && next.socket.destroyed);
  expect(received).toBe('');
});
