/**
 * A map that forgets, in two generations: once the young one has taken `limit` writes it becomes the old one, and what
 * was old is dropped whole. So it holds the last `limit` to 2 x `limit` entries. (A Map that evicts its oldest key one
 * by one is quadratic: V8 walks over the deleted entries every time.)
 */
export class TwoGenerationMap<V> {
  private young = new Map<string, V>();
  private old = new Map<string, V>();
  private writes = 0;

  constructor(private readonly limit = 100_000) {}

  get(key: string): V | undefined {
    return this.young.get(key) ?? this.old.get(key);
  }

  has(key: string): boolean {
    return this.young.has(key) || this.old.has(key);
  }

  /** The value that was written first of all that it still has. */
  get oldest(): V | undefined {
    const [oldest] = this.old.size > 0 ? this.old.values() : this.young.values();
    return oldest;
  }

  set(key: string, value: V): void {
    if (this.writes >= this.limit) {
      this.old = this.young;
      this.young = new Map();
      this.writes = 0;
    }
    this.writes += 1;
    this.young.set(key, value);
  }
}
