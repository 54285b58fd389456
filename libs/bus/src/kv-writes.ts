import { isMissingBucket, KvMissingError, KvReplacedError, KvUnsettledError } from './bucket';
import type { Follower } from './follower';

/** How long a write waits until the bucket is followed, and then until its value has come back. */
const SETTLE_MS = 2_000;
const READ_BACK_MS = 1_000;

/** A write that the bucket has stored. */
export interface Written {
  revision: number;
  /** Creation time of that bucket. */
  created: string;
}

/**
 * All writes to a bucket pass through here. They wait until the current bucket is followed, and fail if the bucket is
 * lost during the write, so that a process that was told of a success always sees the written value.
 */
export class KvWrites {
  constructor(
    private readonly name: string,
    private readonly follower: Follower,
  ) {}

  /**
   * Waits until the bucket is followed.
   *
   * @returns the creation time of the bucket
   * @throws KvUnsettledError
   */
  async settled(): Promise<string> {
    const { follower, name } = this;
    const isFollowed = await follower.until(() => follower.isFollowing, SETTLE_MS);
    if (!isFollowed) throw new KvUnsettledError(`${name} is not followed now`);
    return follower.created ?? '';
  }

  /** As `settled`, but asks the broker, which may not have reported yet that the bucket is gone. */
  async verified(): Promise<string> {
    await this.settled();
    await this.follower.verify().catch(() => this.follower.lose());
    return this.settled();
  }

  /**
   * Sends a write.
   *
   * @param basis creation time of the bucket that the write relies on; undefined if it relies on none
   * @throws KvUnsettledError if that bucket, or the one that was written to, is lost
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
      throw new KvMissingError(`the bucket ${this.name} is missing`);
    }
  }

  /** Waits until the written value has come back from the bucket. @throws KvUnsettledError */
  async readBack({ revision, created }: Written): Promise<void> {
    const { follower } = this;
    const isOver = (): boolean => follower.position >= revision || follower.created !== created;
    const inTime = await follower.until(isOver, READ_BACK_MS);
    this.check(created, follower.created);
    if (!inTime) throw new KvUnsettledError(`the value written to ${this.name} did not come back in time`);
  }

  private check(basis: string | undefined, created: string | undefined): void {
    if (basis === undefined || basis === created) return;
    throw new KvReplacedError(`${this.name} was lost during a write`);
  }
}
