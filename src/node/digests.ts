// Whether the members are equal (S7). Every node says the digest of each of its checkpoints; marks are entries, so the
// indices are the same everywhere. Whoever differs from what a majority of the members has stops; when no value has a
// majority some time after the first difference, all that took part stop, for nobody can say who is right.
import type { Digest, Index, NodeId } from '../ids.ts'

/** So long others may still bring a majority about. */
const settleMs = 10_000
/** Of those that we have made, and of those that others have made and we have not. */
const checkpointsKept = 32

/** What became of a comparison. */
export type Divergence = 'differs' | 'undecided'

interface Compared {
  readonly values: Map<NodeId, Digest>
  /** When two values were first seen to differ; null while all are equal. */
  differsSince: number | null
}

export class Digests {
  readonly #self: NodeId
  readonly #members: number
  readonly #byIndex = new Map<Index, Compared>()
  /** Those in which values differ: the only ones that time has something to say about. */
  readonly #disputed = new Set<Compared>()
  #newest: { readonly index: Index; readonly digest: Digest } | null = null
  /** Comparisons in which values differed, for metrics. */
  differences = 0

  constructor(self: NodeId, members: number) {
    this.#self = self
    this.#members = members
  }

  /** Of our last checkpoint. */
  get newest(): { readonly index: Index; readonly digest: Digest } | null {
    return this.#newest
  }

  /** Of our checkpoints, for a member that we meet. */
  *own(): Generator<{ readonly index: Index; readonly digest: Digest }> {
    for (const [index, { values }] of this.#byIndex) {
      const digest = values.get(this.#self)
      if (digest !== undefined) yield { index, digest }
    }
  }

  /** Members that are known to have our digest at our last checkpoint, ourselves included. */
  get agreeing(): readonly NodeId[] {
    if (this.#newest === null) return []
    const { index, digest } = this.#newest
    const values = this.#byIndex.get(index)?.values ?? new Map<NodeId, Digest>()
    return [...values].filter(([, value]) => value === digest).map(([node]) => node)
  }

  made(index: Index, digest: Digest, now: number): Divergence | null {
    if (this.#newest === null || index > this.#newest.index) this.#newest = { index, digest }
    return this.heard(this.#self, index, digest, now)
  }

  /** A member says what it has at `index`. What it said before of that index stands. */
  heard(node: NodeId, index: Index, digest: Digest, now: number): Divergence | null {
    const compared = this.#at(index)
    if (compared === null || compared.values.has(node)) return null
    compared.values.set(node, digest)
    if (compared.differsSince === null && new Set(compared.values.values()).size > 1) {
      compared.differsSince = now
      this.#disputed.add(compared)
      this.differences++
    }
    return this.#judge(compared, now)
  }

  /** Time has passed. */
  expire(now: number): Divergence | null {
    if (this.#disputed.size === 0) return null
    for (const compared of this.#disputed) {
      const divergence = this.#judge(compared, now)
      if (divergence !== null) return divergence
    }
    return null
  }

  #judge({ values, differsSince }: Compared, now: number): Divergence | null {
    const own = values.get(this.#self)
    if (differsSince === null || own === undefined) return null
    const counts = new Map<Digest, number>()
    for (const value of values.values()) counts.set(value, (counts.get(value) ?? 0) + 1)
    for (const [value, count] of counts) {
      if (count > this.#members / 2) return value === own ? null : 'differs'
    }
    return now - differsSince >= settleMs ? 'undecided' : null
  }

  #at(index: Index): Compared | null {
    const known = this.#byIndex.get(index)
    if (known !== undefined) return known
    // Of those that we have reached the newest are kept; of those that we have not, the ones that we reach next: what others
    // say who are far ahead must not push out what we have.
    const own = this.#newest?.index ?? 0
    const isAhead = index > own
    const alike = [...this.#byIndex.keys()].filter((each) => each > own === isAhead).sort((a, b) => a - b)
    if (alike.length >= checkpointsKept) {
      const last = isAhead ? alike.at(-1) : alike[0]
      if (last === undefined || (isAhead ? index > last : index < last)) return null
      this.#forget(last)
    }
    const compared: Compared = { values: new Map<NodeId, Digest>(), differsSince: null }
    this.#byIndex.set(index, compared)
    return compared
  }

  #forget(index: Index): void {
    const compared = this.#byIndex.get(index)
    if (compared !== undefined) this.#disputed.delete(compared)
    this.#byIndex.delete(index)
  }
}
