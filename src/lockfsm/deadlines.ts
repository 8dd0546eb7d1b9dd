// What is due next: an indexed binary heap of (time, sequence). Every item knows its position, so that moving or
// removing one costs O(log n) and a finished lock/unlock pair leaves nothing behind. The order is total because a
// sequence number is given once, so what comes out does not depend on the order in which things went in: a heap
// rebuilt from records behaves like the one that lived through the history.
import { assert } from '../assert.ts'
import type { ClusterTime, Sequence } from '../ids.ts'

export interface Timed {
  readonly sequence: Sequence
  /** Index in the heap, kept up to date by it; null outside. */
  heapPosition: number | null
}

/** Times stand beside the items, not in them: comparing follows no pointer, an item without a deadline pays nothing. */
export interface Deadlines<Item extends Timed> {
  readonly times: ClusterTime[]
  readonly items: Item[]
}

export function createDeadlines<Item extends Timed>(): Deadlines<Item> {
  return { times: [], items: [] }
}

/** Enters `item`, or moves it to its new time. */
export function schedule<Item extends Timed>(heap: Deadlines<Item>, item: Item, at: ClusterTime): void {
  if (item.heapPosition === null) {
    item.heapPosition = heap.items.length
    heap.items.push(item)
    heap.times.push(at)
    siftUp(heap, item.heapPosition)
    return
  }
  const before = entryAt(heap.times, item.heapPosition)
  if (at === before) return
  heap.times[item.heapPosition] = at
  if (at < before) siftUp(heap, item.heapPosition)
  else siftDown(heap, item.heapPosition)
}

/** Takes `item` out; nothing happens when it is not in. */
export function unschedule<Item extends Timed>(heap: Deadlines<Item>, item: Item): void {
  const position = item.heapPosition
  if (position === null) return
  const last = heap.items.length - 1
  if (position !== last) swap(heap, position, last)
  heap.items.pop()
  heap.times.pop()
  item.heapPosition = null
  if (position === last) return
  siftUp(heap, position)
  siftDown(heap, position)
}

/** The first item that is due at `time` or was before; it stays in the heap. */
export function firstDue<Item extends Timed>(heap: Deadlines<Item>, time: ClusterTime): Item | null {
  const earliest = heap.times[0]
  const item = heap.items[0]
  return earliest === undefined || item === undefined || earliest > time ? null : item
}

function siftUp<Item extends Timed>(heap: Deadlines<Item>, from: number): void {
  let position = from
  while (position > 0) {
    const parent = (position - 1) >> 1
    if (!isBefore(heap, position, parent)) return
    swap(heap, position, parent)
    position = parent
  }
}

function siftDown<Item extends Timed>(heap: Deadlines<Item>, from: number): void {
  const size = heap.items.length
  let position = from
  for (;;) {
    let child = 2 * position + 1
    if (child >= size) return
    if (child + 1 < size && isBefore(heap, child + 1, child)) child += 1
    if (!isBefore(heap, child, position)) return
    swap(heap, child, position)
    position = child
  }
}

function isBefore<Item extends Timed>(heap: Deadlines<Item>, a: number, b: number): boolean {
  const timeOfA = entryAt(heap.times, a)
  const timeOfB = entryAt(heap.times, b)
  if (timeOfA !== timeOfB) return timeOfA < timeOfB
  return entryAt(heap.items, a).sequence < entryAt(heap.items, b).sequence
}

function swap<Item extends Timed>(heap: Deadlines<Item>, a: number, b: number): void {
  const itemOfA = entryAt(heap.items, a)
  const itemOfB = entryAt(heap.items, b)
  const timeOfA = entryAt(heap.times, a)
  heap.items[a] = itemOfB
  heap.items[b] = itemOfA
  heap.times[a] = entryAt(heap.times, b)
  heap.times[b] = timeOfA
  itemOfB.heapPosition = a
  itemOfA.heapPosition = b
}

function entryAt<T>(list: readonly T[], index: number): T {
  const entry = list[index]
  assert(entry !== undefined, 'a heap position lies inside the heap')
  return entry
}
