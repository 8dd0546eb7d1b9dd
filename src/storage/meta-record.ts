// The two records of the `log/` database that are written rarely, as JSON behind the checksum that every value of the
// database has: meta (whose disk this is, where its log begins, which snapshot is being installed), and what is known of
// the disks of the other members.
import { asClusterTime, asIndex, asRun, asTerm } from '../ids.ts'
import { isCount, isObject, type JsonObject, toIncarnation, toNodeId } from './checked-json.ts'
import { damaged } from './damage.ts'
import { sealJson, unsealJson } from './log-record.ts'
import type { ChainHash, Installing, LogMeta, PeerWitness } from './log-store.ts'
import type { Tip } from './read-log.ts'

export interface StoredMeta {
  readonly meta: LogMeta
  /** The place before the first entry, so that the chain is whole where the log was trimmed. */
  readonly start: Tip
  readonly installing: Installing | null
}

export function encodeMeta({ meta, start, installing }: StoredMeta): Buffer {
  const { node, incarnation, run, founded, counted } = meta
  const marked = installing === null ? null : { ...placeOf(installing), generation: installing.generation }
  return sealJson({ node, incarnation, run, founded, counted, start: placeOf(start), installing: marked })
}

/** Throws DamagedError unless `value` is a meta record. */
export function decodeMeta(where: string, value: Buffer): StoredMeta {
  const what = 'the meta record'
  const fields = unsealJson(where, what, value)
  const node = toNodeId(fields['node'])
  const incarnation = toIncarnation(fields['incarnation'])
  const start = toTip(fields['start'])
  const installing = fields['installing'] === null ? null : toInstalling(fields['installing'])
  const { run, founded, counted } = fields
  const areSound = typeof founded === 'boolean' && (counted === null || isCount(counted))
  if (node === null || incarnation === null || start === null || installing === undefined || !isCount(run) || !areSound)
    throw damaged(where, `${what} lacks a field or has one of a wrong type`)
  const by = counted === null ? null : asIndex(counted)
  return { meta: { node, incarnation, run: asRun(run), founded, counted: by }, start, installing }
}

export function encodePeers(peers: readonly PeerWitness[]): Buffer {
  const rows = peers.map(({ node, incarnation, run, ackTerm, ackIndex, ackRun }) => ({
    node,
    incarnation,
    run,
    ackTerm,
    ackIndex,
    ackRun,
  }))
  return sealJson({ peers: rows })
}

/** Throws DamagedError unless `value` is a record of the peers. */
export function decodePeers(where: string, value: Buffer): readonly PeerWitness[] {
  const what = 'the record of the peers'
  const rows = unsealJson(where, what, value)['peers']
  const peers = Array.isArray(rows) ? rows.map(toPeer) : [null]
  return peers.map((peer) => {
    if (peer === null) throw damaged(where, `${what} lacks a field or has one of a wrong type`)
    return peer
  })
}

export function placeOf({ index, term, time, chain }: Tip): Tip {
  return { index, term, time, chain }
}

function toPeer(row: unknown): PeerWitness | null {
  if (!isObject(row)) return null
  const node = toNodeId(row['node'])
  const incarnation = toIncarnation(row['incarnation'])
  const { run, ackTerm, ackIndex, ackRun } = row
  if (node === null || incarnation === null || !isCount(run)) return null
  if (!isCount(ackTerm) || !isCount(ackIndex) || !isCount(ackRun)) return null
  return {
    node,
    incarnation,
    run: asRun(run),
    ackTerm: asTerm(ackTerm),
    ackIndex: asIndex(ackIndex),
    ackRun: asRun(ackRun),
  }
}

export function toTip(value: unknown): Tip | null {
  if (!isObject(value)) return null
  const { index, term, time } = value
  const chain = toChain(value)
  if (!isCount(index) || !isCount(term) || !isCount(time) || chain === null) return null
  return { index: asIndex(index), term: asTerm(term), time: asClusterTime(time), chain }
}

/** undefined: it is none. */
function toInstalling(value: unknown): Installing | undefined {
  const tip = toTip(value)
  const generation = isObject(value) ? value['generation'] : null
  return tip === null || !isCount(generation) ? undefined : { ...tip, generation }
}

function toChain({ chain }: JsonObject): ChainHash | null {
  return typeof chain === 'string' && /^[0-9a-f]{32}$/.test(chain) ? chain : null
}
