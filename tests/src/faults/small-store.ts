import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bus, connectBus, managerOf, PublishError } from '@tps/bus';

const MIB = 1024 ** 2;
/** Enough for what a suite leaves there, and soon full. */
const STORE_MIB = 160;
const RESERVED_MIB = 32;
const BLOCK = Buffer.alloc(MIB / 2);
const BALLAST = { name: 'BALLAST', subjects: ['ballast'] };
const INSUFFICIENT_RESOURCES = 10023;

/** A broker whose disk is full when a test says so. */
export class SmallStore {
  private constructor(
    private readonly bus: Bus,
    private readonly folder: string,
  ) {}

  static async at(url: string): Promise<SmallStore> {
    const folder = await mkdtemp(join(tmpdir(), 'tps-store-'));
    return new SmallStore(await connectBus({ url, name: 'test' }), folder);
  }

  /**
   * Streams that reserve room reserve less from now on: the broker would not take them back otherwise.
   * @returns a configuration file that it has to be started with
   */
  async prepare(): Promise<string> {
    const { outcomes, dead } = this.bus.names.streams;
    const jsm = await managerOf(this.bus);
    for (const stream of [outcomes, dead])
      await jsm.streams.update(stream, { max_bytes: RESERVED_MIB * MIB });
    const file = join(this.folder, 'nats.conf');
    await writeFile(file, `jetstream { max_file_store: ${STORE_MIB}MB }`);
    return file;
  }

  /** @throws when there is still room after more than fits */
  async fill(): Promise<void> {
    await (await managerOf(this.bus)).streams.add(BALLAST);
    for (let bytes = 0; bytes <= STORE_MIB * MIB; bytes += BLOCK.length) {
      try {
        await this.bus.publisher.publish(BALLAST.subjects[0]!, BLOCK);
      } catch (error) {
        if (error instanceof PublishError && error.code === INSUFFICIENT_RESOURCES) return;
        throw error;
      }
    }
    throw new Error('the store is not full');
  }

  async empty(): Promise<void> {
    await (await managerOf(this.bus)).streams.delete(BALLAST.name);
  }

  async close(): Promise<void> {
    await this.bus.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
