// Which buckets of memory may know a request id. Nearly every request id asked for is new, and looking for it in seven
// large maps costs more cache misses than all the rest of an acquire (2 of 3.6 microseconds at full rate); one byte
// says for nearly all of them that none knows it. Wrong in one direction only: a set bit may be another id's.
import type { RequestId } from '../ids.ts'
import { hashText } from './text-hash.ts'

/** By a hash of the id, one bit per bucket: that of its number modulo 8, enough for the seven that are kept. */
export type RecallFilter = Uint8Array

const slots = 1 << 20
export const allBuckets = 0xff

export function createFilter(): RecallFilter {
  return new Uint8Array(slots)
}

export function noteId(filter: RecallFilter, requestId: RequestId, bucket: number): void {
  const slot = slotOf(requestId)
  filter[slot] = bitsAt(filter, slot) | bitOf(bucket)
}

/** The buckets that may know the id, as bits. */
export function bucketsKnowing(filter: RecallFilter, requestId: RequestId): number {
  return bitsAt(filter, slotOf(requestId))
}

export function isAmong(bits: number, bucket: number): boolean {
  return (bits & bitOf(bucket)) !== 0
}

/** The bucket is dropped, and its bit is free for another. */
export function clearBucket(filter: RecallFilter, bucket: number): void {
  const others = allBuckets ^ bitOf(bucket)
  for (let slot = 0; slot < slots; slot += 1) filter[slot] = bitsAt(filter, slot) & others
}

function bitOf(bucket: number): number {
  return 1 << (bucket & 7)
}

function bitsAt(filter: RecallFilter, slot: number): number {
  return filter[slot] ?? 0
}

function slotOf(requestId: RequestId): number {
  return hashText(requestId) & (slots - 1)
}
