import { type Bus, connectBus } from '@tps/bus';
import type { AndonBoard } from '@tps/contracts';
import { type ServiceHandle, startService } from '@tps/service';
import { NatsServer } from '@tps/testkit';
import { andon } from './service';

/** A real broker and whatever replicas of andon a test starts on it. */
export class AndonHarness {
  private readonly running = new Set<ServiceHandle>();

  private constructor(
    readonly nats: NatsServer,
    readonly bus: Bus,
  ) {}

  static async start(): Promise<AndonHarness> {
    const nats = await NatsServer.start();
    return new AndonHarness(nats, await connectBus({ url: nats.url, name: 'test' }));
  }

  async andon(instance: string, env: Record<string, string> = {}): Promise<ServiceHandle> {
    const fixed = {
      NATS_URL: this.nats.url,
      METRICS_PORT: 'disabled',
      LOG_LEVEL: 'error',
      INSTANCE_ID: instance,
    };
    const service = await startService(andon, { ...fixed, ...env }, (error) => console.error(error));
    this.running.add(service);
    return service;
  }

  async stop(service: ServiceHandle): Promise<void> {
    this.running.delete(service);
    await service.stop();
  }

  /** Stops every replica. */
  async stopAll(): Promise<void> {
    for (const service of [...this.running]) await this.stop(service);
  }

  async ask<T>(subject: string, request?: object): Promise<T> {
    const body = request ? JSON.stringify(request) : '';
    return (await this.bus.nc.request(subject, body, { timeout: 10_000 })).json<T>();
  }

  board(): Promise<AndonBoard> {
    return this.ask(this.bus.names.subjects.board('andon'));
  }

  async close(): Promise<void> {
    await this.stopAll();
    await this.bus.close();
    await this.nats.stop();
  }
}
