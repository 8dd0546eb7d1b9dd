// Ids of nodes as they are decoded. They are few and stand in every attempt of millions of records, so every one that
// is met again is the same string and not a copy.
import { asNodeId } from '../ids.ts'
import type { NodeId } from '../ids.ts'
import type { Reader } from './packr.ts'

const nodeIdMax = 32
/** More than a cluster has members; what else foreign bytes may name is not kept. */
const knownMax = 32
const known = new Map<string, NodeId>()

export function takeNodeId(reader: Reader): NodeId {
  const text = reader.text(nodeIdMax)
  const met = known.get(text)
  if (met !== undefined) return met
  const id = asNodeId(text)
  if (known.size < knownMax) known.set(text, id)
  return id
}
