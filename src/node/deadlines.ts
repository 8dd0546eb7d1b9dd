// Many deadlines, nearly all of which are removed before they come: calls are answered long before they time out. Items
// stand in buckets of 50 ms, so adding and removing cost a set operation and coming due costs nothing but the due ones.

const bucketMs = 50

export class Deadlines<Item> {
  readonly #buckets = new Map<number, Set<Item>>()
  #lastLook = -Infinity

  /** `at` in monotonic milliseconds, in the future; it comes due up to 50 ms later. */
  add(item: Item, at: number): void {
    const bucket = bucketOf(at)
    const items = this.#buckets.get(bucket)
    if (items === undefined) this.#buckets.set(bucket, new Set([item]))
    else items.add(item)
  }

  /** Removes an item added with the same `at`; nothing happens when it is not there. */
  remove(item: Item, at: number): void {
    const bucket = bucketOf(at)
    const items = this.#buckets.get(bucket)
    if (items?.delete(item) === true && items.size === 0) this.#buckets.delete(bucket)
  }

  /** Removes and returns what is due at `now`, the earlier buckets first, each in the order of adding. */
  takeDue(now: number): readonly Item[] {
    if (this.#buckets.size === 0) return []
    const current = Math.floor(now / bucketMs)
    if (current === this.#lastLook) return []
    this.#lastLook = current
    const due: Item[] = []
    const buckets = [...this.#buckets.keys()].filter((bucket) => bucket <= current).sort((a, b) => a - b)
    for (const bucket of buckets) {
      due.push(...(this.#buckets.get(bucket) ?? []))
      this.#buckets.delete(bucket)
    }
    return due
  }

  /** Removes and returns everything, in no order that matters. */
  takeAll(): Item[] {
    const all = [...this.#buckets.values()].flatMap((items) => [...items])
    this.#buckets.clear()
    return all
  }
}

/** The bucket whose turn comes once `at` has passed. */
function bucketOf(at: number): number {
  return Math.ceil(at / bucketMs)
}
