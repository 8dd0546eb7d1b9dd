// Who cannot reach whom. A partition names one side; whoever is on it and whoever is not hear nothing of each other until
// it heals. There may be several at once.
export class Partitions<Party> {
  readonly #sides = new Set<ReadonlySet<Party>>()

  get isWhole(): boolean {
    return this.#sides.size === 0
  }

  isCut(a: Party, b: Party): boolean {
    return [...this.#sides].some((side) => side.has(a) !== side.has(b))
  }

  /** Returns what heals it. */
  cut(members: Iterable<Party>): () => void {
    const side = new Set(members)
    this.#sides.add(side)
    return () => void this.#sides.delete(side)
  }

  healAll(): void {
    this.#sides.clear()
  }
}
