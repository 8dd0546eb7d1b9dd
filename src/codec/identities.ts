// Names of nodes, disks and clusters as they are decoded. They go to disks of ours, which take others for damage: what a
// peer sends instead must not get so far. Ids of nodes are few and stand in every attempt of millions of records, so every
// one that is met again is the same string and not a copy.
import { asClusterId, asIncarnation, asNodeId } from '../ids.ts'
import type { ClusterId, Incarnation, NodeId } from '../ids.ts'
import { FormatError } from './packr.ts'
import type { Reader } from './packr.ts'

const nodeIdMax = 32
/** More than a cluster has members; what else foreign bytes may name is not kept. */
const knownMax = 32
const known = new Map<string, NodeId>()
const hexDigits = 32

export function takeNodeId(reader: Reader): NodeId {
  const text = reader.text(nodeIdMax)
  const met = known.get(text)
  if (met !== undefined) return met
  if (!/^[A-Za-z0-9._-]+$/.test(text)) throw new FormatError('not a node id')
  const id = asNodeId(text)
  if (known.size < knownMax) known.set(text, id)
  return id
}

export function takeIncarnation(reader: Reader): Incarnation {
  return asIncarnation(takeHex(reader))
}

export function takeClusterId(reader: Reader): ClusterId {
  return asClusterId(takeHex(reader))
}

/** 32 hexadecimal digits: an id that was drawn, or the hash of a log. */
export function takeHex(reader: Reader): string {
  const text = reader.text(hexDigits)
  if (!/^[0-9a-f]{32}$/.test(text)) throw new FormatError('not 32 hexadecimal digits')
  return text
}
