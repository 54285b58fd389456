import { BrokerError, NatsServer } from './nats-server';
import { freePorts } from './ports';

/** Three real nats-servers that replicate JetStream among themselves, on loopback. */
export class NatsCluster {
  private constructor(readonly nodes: readonly NatsServer[]) {}

  static async start(): Promise<NatsCluster> {
    const ports = await freePorts(3);
    const routes = ports.map((port) => `nats://127.0.0.1:${port}`);
    const started = await Promise.allSettled(
      routes.map((own, n) => {
        const others = routes.filter((route) => route !== own).join(',');
        const args = ['-n', nameOf(n), '--cluster_name', 'tps', '--cluster', own, '--routes', others];
        return NatsServer.start({ args });
      }),
    );
    const cluster = new NatsCluster(started.flatMap((one) => (one.status === 'fulfilled' ? one.value : [])));
    const failed = started.find((one) => one.status === 'rejected');
    if (!failed) return cluster;
    await cluster.stop();
    throw failed.reason;
  }

  /** All of them: a client goes on with another when its own is gone. */
  get url(): string {
    return this.nodes.map(({ url }) => url).join(',');
  }

  /** @param name as the broker says it, for example who leads a stream */
  node(name: string): NatsServer {
    const found = this.nodes.find((_, n) => nameOf(n) === name);
    if (!found) throw new BrokerError(`there is no node ${name}`);
    return found;
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.stop();
  }
}

function nameOf(n: number): string {
  return `node-${n + 1}`;
}
