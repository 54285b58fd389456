import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * `pass`: as if it were not there. `refuse`: every connection is reset, and so is every new one. `hang`: connections
 * stay and new ones are taken, but nothing comes through. `deaf`: what the client says arrives, what the server says
 * does not.
 */
export type ProxyMode = 'pass' | 'refuse' | 'hang' | 'deaf';

/** Between a client and a server on loopback: a network that fails the way a test says. */
export class TcpProxy {
  private mode: ProxyMode = 'pass';
  private readonly pairs = new Set<{ client: Socket; server: Socket }>();

  private constructor(
    private readonly listener: Server,
    private readonly target: number,
  ) {
    listener.on('connection', (client) => this.accept(client));
  }

  static async start(target: number): Promise<TcpProxy> {
    const listener = createServer();
    const proxy = new TcpProxy(listener, target);
    await new Promise<void>((done, reject) => {
      listener.once('error', reject);
      listener.listen(0, '127.0.0.1', done);
    });
    return proxy;
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.pairs.size;
  }

  /** What was held back under another mode than `pass` never arrives: those connections are reset. */
  set(mode: ProxyMode): void {
    if (this.mode !== 'pass' || mode === 'refuse') this.reset();
    this.mode = mode;
    for (const pair of this.pairs) this.hold(pair);
  }

  async stop(): Promise<void> {
    this.reset();
    await new Promise((done) => this.listener.close(done));
  }

  private accept(client: Socket): void {
    // A test that ends a server sees its clients fail; the errors are theirs.
    client.on('error', () => undefined);
    if (this.mode === 'refuse') return void client.resetAndDestroy();
    const server = connect(this.target, '127.0.0.1');
    server.on('error', () => client.destroy());
    const pair = { client, server };
    this.pairs.add(pair);
    client.pipe(server);
    server.pipe(client);
    const over = (): void => {
      this.pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    client.once('close', over);
    server.once('close', over);
    this.hold(pair);
  }

  private hold({ client, server }: { client: Socket; server: Socket }): void {
    if (this.mode === 'hang') client.unpipe(server).pause();
    if (this.mode === 'hang' || this.mode === 'deaf') server.unpipe(client).pause();
  }

  private reset(): void {
    for (const { client, server } of this.pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    this.pairs.clear();
  }
}
