// The records of the `log/` database that there is one of: meta with the start and the mark of an install, what is known
// of the peers, and the hard state, which is in every batch and names the last entry and the checksums of the others. So a
// batch is there as a whole, or it is seen that it is not.
import { assert } from '../assert.ts'
import type { HardState } from '../raft/entry.ts'
import { assertHardStateFollows } from './batch-rules.ts'
import { hardStateKey, metaKey, peersKey } from './keys.ts'
import type { Batch } from './level-folder.ts'
import { crcOf, encodeHardState } from './log-record.ts'
import type { Installing, LogBatch, LogMeta, PeerWitness } from './log-store.ts'
import { encodeMeta, encodePeers } from './meta-record.ts'
import type { Tip } from './read-log.ts'

export interface SingleRecords {
  /** null before the first batch. */
  readonly meta: LogMeta | null
  /** The place before the first entry. */
  readonly start: Tip
  readonly installing: Installing | null
  readonly peers: readonly PeerWitness[]
  readonly hardState: HardState
  /** How many there were since the database was created. */
  readonly batches: number
  /** As they are on the disk; null before the first batch that had one. */
  readonly encoded: EncodedRecords
}

export type EncodedRecords = Readonly<Record<'meta' | 'peers' | 'hardState', Buffer | null>>

/** The records after `batch`, which leaves a log that begins behind `start` and ends with `tip`. */
export function nextRecords(
  before: SingleRecords,
  batch: LogBatch,
  { start, tip }: { readonly start: Tip; readonly tip: Tip },
): SingleRecords {
  const hardState = batch.hardState ?? before.hardState
  assertHardStateFollows(before.hardState, hardState, tip.term)
  const meta = batch.meta ?? before.meta
  assert(meta !== null, 'the first write must say whose disk this is')
  const installing =
    batch.installed !== null ? null : batch.installing === undefined ? before.installing : batch.installing
  const peers = batch.peers ?? before.peers
  const batches = before.batches + 1

  const isMetaNews = batch.meta !== null || start !== before.start || installing !== before.installing
  const encodedMeta = isMetaNews ? encodeMeta({ meta, start, installing }) : before.encoded.meta
  const encodedPeers = batch.peers === null ? before.encoded.peers : encodePeers(peers)
  const encodedHardState = encodeHardState({
    ...hardState,
    lastIndex: tip.index,
    chain: tip.chain,
    batches,
    metaCrc: crcOf(encodedMeta),
    peersCrc: crcOf(encodedPeers),
  })
  const encoded = { meta: encodedMeta, peers: encodedPeers, hardState: encodedHardState }
  return { meta, start, installing, peers, hardState, batches, encoded }
}

/** Adds to the batch what is not on the disk yet. */
export function putRecords(chained: Batch, before: EncodedRecords, after: EncodedRecords): void {
  for (const [key, was, is] of [
    [metaKey, before.meta, after.meta],
    [peersKey, before.peers, after.peers],
    [hardStateKey, before.hardState, after.hardState],
  ] as const) {
    if (is !== null && is !== was) chained.put(key, is)
  }
}
