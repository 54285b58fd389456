import { BrokerError, NatsServer } from './nats-server';
import { freePorts } from './ports';

/** A cluster of three real nats-servers on loopback, which replicate JetStream among themselves. */
export class NatsCluster {
  private constructor(readonly nodes: readonly NatsServer[]) {}

  /**
   * Starts `node-1` to `node-3`.
   * @throws the error of the first node that failed, after stopping the others
   */
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

  /** The addresses of all nodes, so that a client moves to another node when its own is gone. */
  get url(): string {
    return this.nodes.map(({ url }) => url).join(',');
  }

  /**
   * Finds a node by the name that the broker uses, for example for the leader of a stream.
   * @throws BrokerError if no node has this name
   */
  node(name: string): NatsServer {
    const found = this.nodes.find((_, n) => nameOf(n) === name);
    if (!found) throw new BrokerError(`there is no node ${name}`);
    return found;
  }

  /** Kills all nodes and deletes their stores. */
  async stop(): Promise<void> {
    for (const node of this.nodes) await node.stop();
  }
}

function nameOf(n: number): string {
  return `node-${n + 1}`;
}
