// An ordered index: a list of sorted chunks, so that inserting and removing cost a binary search and the move of part
// of one chunk, and a page of a listing starts anywhere without scanning or sorting the whole store.
import { assert } from '../assert.ts'

/** Chunks and the items in them ascend by `compare`, which never calls two different items equal; no chunk is empty. */
export interface Sorted<Item> {
  readonly compare: (a: Item, b: Item) => number
  readonly chunks: Item[][]
}

const chunkSizeMax = 512

export function createSorted<Item>(compare: (a: Item, b: Item) => number): Sorted<Item> {
  return { compare, chunks: [] }
}

export function insertSorted<Item>(sorted: Sorted<Item>, item: Item): void {
  const { chunks } = sorted
  if (chunks.length === 0) {
    chunks.push([item])
    return
  }
  const isBefore = (other: Item): boolean => sorted.compare(other, item) < 0
  const chunkIndex = Math.min(chunkWith(chunks, isBefore), chunks.length - 1)
  const chunk = chunkAt(chunks, chunkIndex)
  chunk.splice(placeIn(chunk, isBefore), 0, item)
  if (chunk.length > chunkSizeMax) chunks.splice(chunkIndex + 1, 0, chunk.splice(chunkSizeMax >> 1))
}

export function removeSorted<Item>(sorted: Sorted<Item>, item: Item): void {
  const { chunks } = sorted
  const isBefore = (other: Item): boolean => sorted.compare(other, item) < 0
  const chunkIndex = chunkWith(chunks, isBefore)
  const chunk = chunkAt(chunks, chunkIndex)
  const place = placeIn(chunk, isBefore)
  assert(chunk[place] === item, 'only what was inserted is removed')
  chunk.splice(place, 1)
  if (chunk.length === 0) {
    chunks.splice(chunkIndex, 1)
    return
  }
  // Small neighbours are joined, so that the number of chunks follows the number of items down again.
  const next = chunks[chunkIndex + 1]
  if (next === undefined || chunk.length + next.length > chunkSizeMax >> 2) return
  chunk.push(...next)
  chunks.splice(chunkIndex + 1, 1)
}

/** The items in order, from the first for which `isBefore` is false; it must be true of a beginning of the order only. */
export function* sortedFrom<Item>(sorted: Sorted<Item>, isBefore: (item: Item) => boolean): Generator<Item> {
  const { chunks } = sorted
  const first = chunkWith(chunks, isBefore)
  for (let index = first; index < chunks.length; index += 1) {
    const chunk = chunkAt(chunks, index)
    for (const item of index === first ? chunk.slice(placeIn(chunk, isBefore)) : chunk) yield item
  }
}

/** Index of the first chunk whose last item is not before; the number of chunks when there is none. */
function chunkWith<Item>(chunks: readonly Item[][], isBefore: (item: Item) => boolean): number {
  let low = 0
  let high = chunks.length
  while (low < high) {
    const middle = (low + high) >> 1
    const last = chunkAt(chunks, middle).at(-1)
    assert(last !== undefined, 'no chunk is empty')
    if (isBefore(last)) low = middle + 1
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
