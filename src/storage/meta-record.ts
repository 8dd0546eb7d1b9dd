// The meta record of the `log/` database: whose disk this is, and where its log begins. Written rarely, so it is JSON
// behind the checksum that every value of the database has.
import { asIndex, asRun, type Index } from '../ids.ts'
import { isCount, parseObject, toIncarnation, toNodeId } from './checked-json.ts'
import { damaged } from './damage.ts'
import { recordHeaderBytes, seal, unseal } from './log-record.ts'
import type { ChainHash, LogMeta } from './log-store.ts'

export interface StoredMeta {
  readonly meta: LogMeta
  readonly firstIndex: Index
  /** Hash of the entry before `firstIndex`, so that the chain is whole where the log was trimmed. */
  readonly chainBefore: ChainHash
}

export function encodeMeta({ meta, firstIndex, chainBefore }: StoredMeta): Buffer {
  const { node, incarnation, run, founded, counted } = meta
  const text = JSON.stringify({ node, incarnation, run, founded, counted, firstIndex, chainBefore })
  const value = Buffer.allocUnsafe(recordHeaderBytes + Buffer.byteLength(text))
  value.write(text, recordHeaderBytes)
  return seal(value)
}

/** Throws DamagedError unless `value` is a meta record. */
export function decodeMeta(where: string, value: Buffer): StoredMeta {
  const what = 'the meta record'
  unseal(where, what, value, recordHeaderBytes)
  const fields = parseObject(value.toString('utf8', recordHeaderBytes)) ?? {}
  const node = toNodeId(fields['node'])
  const incarnation = toIncarnation(fields['incarnation'])
  const { run, founded, counted, firstIndex, chainBefore } = fields
  const areFlags = typeof founded === 'boolean' && typeof counted === 'boolean'
  const isWhole = isCount(run) && areFlags && isCount(firstIndex) && typeof chainBefore === 'string'
  if (node === null || incarnation === null || !isWhole)
    throw damaged(where, `${what} lacks a field or has one of a wrong type`)
  return {
    meta: { node, incarnation, run: asRun(run), founded, counted },
    firstIndex: asIndex(firstIndex),
    chainBefore,
  }
}
