import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * `pass` forwards everything. `refuse` resets every connection, old and new. `hang` keeps connections and accepts new ones, but
 * forwards nothing. `deaf` forwards what the client sends and withholds what the server sends.
 */
export type ProxyMode = 'pass' | 'refuse' | 'hang' | 'deaf';

/** A proxy between a client and a server on loopback, which fails like a network. */
export class TcpProxy {
  private mode: ProxyMode = 'pass';
  private readonly pairs = new Set<{ client: Socket; server: Socket }>();

  private constructor(
    private readonly listener: Server,
    private readonly target: number,
  ) {
    listener.on('connection', (client) => this.accept(client));
  }

  /**
   * Listens on a free port of 127.0.0.1, in the mode `pass`.
   * @param target port of the server on 127.0.0.1
   */
  static async start(target: number): Promise<TcpProxy> {
    const listener = createServer();
    const proxy = new TcpProxy(listener, target);
    await new Promise<void>((done, reject) => {
      listener.once('error', reject);
      listener.listen(0, '127.0.0.1', done);
    });
    return proxy;
  }

  /** The port for the client. */
  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  /** Number of open connections. */
  get connections(): number {
    return this.pairs.size;
  }

  /** Changes the mode. Leaving `hang` or `deaf` resets the connections, so withheld bytes never arrive. */
  set(mode: ProxyMode): void {
    if (this.mode !== 'pass' || mode === 'refuse') this.reset();
    this.mode = mode;
    for (const pair of this.pairs) this.hold(pair);
  }

  /** Resets all connections and closes the port. */
  async stop(): Promise<void> {
    this.reset();
    await new Promise((done) => this.listener.close(done));
  }

  private accept(client: Socket): void {
    // A test that stops the server expects its clients to fail; they report the error themselves.
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
