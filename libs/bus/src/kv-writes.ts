import { isMissingBucket, KvMissingError, KvReplacedError, KvUnsettledError } from './bucket';
import type { Follower } from './follower';

/** How long a write waits for the bucket to be followed, and then for what it wrote to come back. */
const SETTLE_MS = 2_000;
const READ_BACK_MS = 1_000;

/** A write that the bucket has. */
export interface Written {
  revision: number;
  /** Creation time of that bucket. */
  created: string;
}

/**
 * The gate that all writes to a bucket pass: they wait until the present bucket is followed, and do not count when the
 * bucket was lost meanwhile. So no process that was told of a success can miss what was written.
 */
export class KvWrites {
  constructor(
    private readonly name: string,
    private readonly follower: Follower,
  ) {}

  /**
   * Waits until the bucket is followed.
   * @returns the creation time of the bucket
   * @throws KvUnsettledError
   */
  async settled(): Promise<string> {
    const { follower, name } = this;
    const isFollowed = await follower.until(() => follower.isFollowing, SETTLE_MS);
    if (!isFollowed) throw new KvUnsettledError(`${name} is not followed now`);
    return follower.created ?? '';
  }

  /** The same, and certain: the broker may not have said yet that the bucket is gone. */
  async verified(): Promise<string> {
    await this.settled();
    await this.follower.verify().catch(() => this.follower.lose());
    return this.settled();
  }

  /**
   * Sends a write.
   * @param basis creation time of the bucket that the write relies on, if it does
   * @throws KvUnsettledError when that bucket, or the one that was written to, is lost by then
   */
  async send(basis: string | undefined, send: () => Promise<number>): Promise<Written> {
    const created = await this.settled();
    this.check(basis, created);
    try {
      const revision = await send();
      this.check(created, await this.settled());
      return { revision, created };
    } catch (error) {
      if (!isMissingBucket(error)) throw error;
      this.follower.lose();
      throw new KvMissingError(`${this.name} is not there`);
    }
  }

  /** Waits until a write has come back from the bucket. @throws KvUnsettledError */
  async readBack({ revision, created }: Written): Promise<void> {
    const { follower } = this;
    const isOver = (): boolean => follower.position >= revision || follower.created !== created;
    const inTime = await follower.until(isOver, READ_BACK_MS);
    this.check(created, follower.created);
    if (!inTime) throw new KvUnsettledError(`what was written to ${this.name} did not come back in time`);
  }

  private check(basis: string | undefined, created: string | undefined): void {
    if (basis === undefined || basis === created) return;
    throw new KvReplacedError(`${this.name} was lost while it was to be written to`);
  }
}
