// A map for up to millions of entries. A Map doubles all at once, and everybody waits meanwhile (at a million entries
// for a quarter of a second); this one is made of many, each of which doubles by itself. Its order of iteration is none
// that anything may depend on, which here no order of a map is anyway.
import { assert } from '../assert.ts'
import { hashText } from './text-hash.ts'

const shardCount = 64

export class ShardedMap<Key extends string, Value> {
  readonly #shards: readonly Map<Key, Value>[] = Array.from({ length: shardCount }, () => new Map<Key, Value>())
  #size = 0

  get size(): number {
    return this.#size
  }

  get(key: Key): Value | undefined {
    return this.#shardOf(key).get(key)
  }

  has(key: Key): boolean {
    return this.#shardOf(key).has(key)
  }

  set(key: Key, value: Value): void {
    const shard = this.#shardOf(key)
    const before = shard.size
    shard.set(key, value)
    this.#size += shard.size - before
  }

  /** Whether there was such a key. */
  delete(key: Key): boolean {
    const existed = this.#shardOf(key).delete(key)
    if (existed) this.#size -= 1
    return existed
  }

  *keys(): Generator<Key> {
    for (const shard of this.#shards) if (shard.size > 0) yield* shard.keys()
  }

  *values(): Generator<Value> {
    for (const shard of this.#shards) if (shard.size > 0) yield* shard.values()
  }

  *[Symbol.iterator](): Generator<[Key, Value]> {
    for (const shard of this.#shards) if (shard.size > 0) yield* shard
  }

  #shardOf(key: Key): Map<Key, Value> {
    const shard = this.#shards[hashText(key) & (shardCount - 1)]
    assert(shard !== undefined, 'every hash has a shard')
    return shard
  }
}
