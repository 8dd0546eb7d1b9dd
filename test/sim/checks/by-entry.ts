// A map by (index, term), as entries are told apart across members. Two maps of whole numbers: a text for every entry that
// is looked up, after every turn, would be half of what a check costs.
import type { Index, Term } from '../../../src/ids.ts'

interface EntryName {
  readonly index: Index
  readonly term: Term
}

export class ByEntry<Value> {
  readonly #terms = new Map<Term, Map<Index, Value>>()

  get({ index, term }: EntryName): Value | undefined {
    return this.#terms.get(term)?.get(index)
  }

  set({ index, term }: EntryName, value: Value): void {
    const ofTerm = this.#terms.get(term)
    if (ofTerm === undefined) this.#terms.set(term, new Map([[index, value]]))
    else ofTerm.set(index, value)
  }
}
