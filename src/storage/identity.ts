// Judges at the start what a disk is, from the log and the founding file together (DESIGN 6, Identity). A founding writes
// in this order: the meta record with the ids, then the file, then the meta record again as founded. Whatever prefix of
// that a crash leaves is a legal start (H32); everything else is a disk that lost something.
//
// The file without a log is the important case: with an empty log the node would be a new one, two such nodes out of three
// would found a second cluster beside the first, and its tokens would start at 1 (H27).
import { damaged } from './damage.ts'
import type { FoundingRecord } from './founding-store.ts'
import type { LogMeta, StoredLog } from './log-store.ts'

export type DiskStart =
  /** Nothing was ever written: the node draws its ids. */
  | { readonly kind: 'empty' }
  /** The founding was cut off and goes on with the same ids; `record` is null until this disk has stored it. */
  | { readonly kind: 'founding'; readonly meta: LogMeta; readonly record: FoundingRecord | null }
  | { readonly kind: 'founded'; readonly meta: LogMeta; readonly record: FoundingRecord }

/** `folder` is for the message only. Throws DamagedError. */
export function judgeDisk(folder: string, log: StoredLog, record: FoundingRecord | null): DiskStart {
  const { meta, hardState } = log
  const hasVotedOrStored = hardState.currentTerm > 0 || log.lastIndex >= log.firstIndex
  if (meta === null) {
    if (record !== null) throw damaged(folder, 'the founding file is there, but the log beside it is empty')
    // The log store refuses a hard state or entries without a meta record itself.
    return { kind: 'empty' }
  }
  if (record === null) {
    if (hasVotedOrStored) throw damaged(folder, 'the log has a term or entries, but the founding file is missing')
    if (meta.founded)
      throw damaged(folder, 'the log says that the cluster is founded, but the founding file is missing')
    return { kind: 'founding', meta, record }
  }
  const own = record.members.find((member) => member.id === meta.node)
  if (own?.incarnation !== meta.incarnation) {
    throw damaged(
      folder,
      `the founding file is not of this disk, which is ${meta.node} in incarnation ${meta.incarnation}`,
    )
  }
  if (meta.founded) return { kind: 'founded', meta, record }
  // Nobody votes or stores an entry before all are known to have stored the record, and that knowledge is stored first.
  if (hasVotedOrStored) throw damaged(folder, 'the log has a term or entries, but says that the cluster is not founded')
  return { kind: 'founding', meta, record }
}
