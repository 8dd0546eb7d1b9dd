// An ordered index: a list of sorted chunks, so that inserting and removing cost a binary search and the move of part
// of one chunk, and a page of a listing starts anywhere without scanning or sorting the whole store. What was inserted
// last waits unsorted: most locks are gone again before anybody lists them, and for those this is a fifth of the cost.
import { assert } from '../assert.ts'

export interface Sorted<Item> {
  /** A total order of different items. */
  readonly isBefore: (a: Item, b: Item) => boolean
  /** Chunks and the items in them ascend; no chunk is empty. */
  readonly chunks: Item[][]
  /** In no chunk yet. */
  readonly unsorted: Set<Item>
}

const chunkSizeMax = 512
const unsortedMax = 1_024

export function createSorted<Item>(isBefore: (a: Item, b: Item) => boolean): Sorted<Item> {
  return { isBefore, chunks: [], unsorted: new Set() }
}

export function insertSorted<Item>(sorted: Sorted<Item>, item: Item): void {
  sorted.unsorted.add(item)
  if (sorted.unsorted.size > unsortedMax) sortIn(sorted)
}

export function removeSorted<Item>(sorted: Sorted<Item>, item: Item): void {
  if (sorted.unsorted.delete(item)) return
  const { chunks } = sorted
  const isBefore = (other: Item): boolean => sorted.isBefore(other, item)
  const chunkIndex = chunkWith(chunks, isBefore)
  const chunk = chunkAt(chunks, chunkIndex)
  const place = placeIn(chunk, isBefore)
  assert(chunk[place] === item, 'only what was inserted is removed')
  chunk.splice(place, 1)
  if (chunk.length === 0) {
    chunks.splice(chunkIndex, 1)
    return
  }
  joinWithNext(chunks, chunkIndex)
  joinWithNext(chunks, chunkIndex - 1)
}

/** Small neighbours are joined, so that the number of chunks follows the number of items down again. */
function joinWithNext<Item>(chunks: Item[][], chunkIndex: number): void {
  const chunk = chunks[chunkIndex]
  const next = chunks[chunkIndex + 1]
  if (chunk === undefined || next === undefined || chunk.length + next.length > chunkSizeMax >> 2) return
  chunk.push(...next)
  chunks.splice(chunkIndex + 1, 1)
}

/** Items in order from the first for which `isBefore` is false; it must be true only of a beginning of the order. */
export function* sortedFrom<Item>(sorted: Sorted<Item>, isBefore: (item: Item) => boolean): Generator<Item> {
  sortIn(sorted)
  const { chunks } = sorted
  const first = chunkWith(chunks, isBefore)
  for (let index = first; index < chunks.length; index += 1) {
    const chunk = chunkAt(chunks, index)
    for (const item of index === first ? chunk.slice(placeIn(chunk, isBefore)) : chunk) yield item
  }
}

function sortIn<Item>(sorted: Sorted<Item>): void {
  const { chunks, unsorted } = sorted
  for (const item of unsorted) {
    const isBefore = (other: Item): boolean => sorted.isBefore(other, item)
    if (chunks.length === 0) chunks.push([])
    const chunkIndex = Math.min(chunkWith(chunks, isBefore), chunks.length - 1)
    const chunk = chunkAt(chunks, chunkIndex)
    chunk.splice(placeIn(chunk, isBefore), 0, item)
    if (chunk.length > chunkSizeMax) chunks.splice(chunkIndex + 1, 0, chunk.splice(chunkSizeMax >> 1))
  }
  unsorted.clear()
}

/** Index of the first chunk whose last item is not before; the number of chunks when there is none. */
function chunkWith<Item>(chunks: readonly Item[][], isBefore: (item: Item) => boolean): number {
  let low = 0
  let high = chunks.length
  while (low < high) {
    const middle = (low + high) >> 1
    const last = chunkAt(chunks, middle).at(-1)
    if (last !== undefined && isBefore(last)) low = middle + 1
    else high = middle
  }
  return low
}

/** Index of the first item in the chunk that is not before; the chunk's length when there is none. */
function placeIn<Item>(chunk: readonly Item[], isBefore: (item: Item) => boolean): number {
  let low = 0
  let high = chunk.length
  while (low < high) {
    const middle = (low + high) >> 1
    const item = chunk[middle]
    assert(item !== undefined, 'the middle lies inside the chunk')
    if (isBefore(item)) low = middle + 1
    else high = middle
  }
  return low
}

function chunkAt<Item>(chunks: readonly Item[][], index: number): Item[] {
  const chunk = chunks[index]
  assert(chunk !== undefined, 'the chunk exists')
  return chunk
}
