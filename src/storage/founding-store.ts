// The file `founding` beside the log: what every member stored before anybody voted (DESIGN 6, Identity). It is written
// once in the life of a disk. That it stands outside of the database is its use: a database that comes up empty, as a
// damaged one may, does not look like a new disk as long as this file is there (identity.ts judges the combinations).
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { assert } from '../assert.ts'
import { asSequence, asToken } from '../ids.ts'
import type { ClusterId, Incarnation, NodeId, Sequence, Token } from '../ids.ts'
import { formatChecked, isCount, isObject, parseChecked, toClusterId, toIncarnation, toNodeId } from './checked-json.ts'
import { damaged, FormatVersionError, judgeFileError } from './damage.ts'
import { makeFolder, writeDurably } from './durable-file.ts'

export interface FoundingMember {
  readonly id: NodeId
  /** Of the disk that took part in the founding. */
  readonly incarnation: Incarnation
}

export interface FoundingRecord {
  readonly clusterId: ClusterId
  readonly members: readonly FoundingMember[]
  /** The replicated configuration at the start: positive integers by name. */
  readonly limits: Readonly<Record<string, number>>
  /** null: the cluster began with nothing. */
  readonly restored: Restored | null
}

/** What a cluster took over from a backup of another: where to go on counting. */
export interface Restored {
  readonly from: ClusterId
  /** Names the backup. */
  readonly sha256: string
  readonly firstToken: Token
  readonly firstSequence: Sequence
}

export interface FoundingStore {
  /** The record that is durable; null when there is none. Throws DamagedError. */
  read(): FoundingRecord | null
  /** Calls `done` once, later: null when the record is durable. Once in the life of a disk, and one write at a time. */
  write(record: FoundingRecord, done: (error: Error | null) => void): void
}

const version = 2

export class FoundingFile implements FoundingStore {
  readonly #path: string
  #isWriting = false

  /** `path` is the file's; its folder is created when the record is written. */
  constructor(path: string) {
    this.#path = resolve(path)
  }

  read(): FoundingRecord | null {
    let text: string
    try {
      text = readFileSync(this.#path, 'utf8')
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
      throw judgeFileError(this.#path, error)
    }
    const fields = parseChecked(text)
    if (fields === null) throw damaged(this.#path, 'its checksum is wrong')
    const found = fields['version']
    if (found !== version) throw new FormatVersionError(this.#path, 'this file', { found, known: version })
    const clusterId = toClusterId(fields['clusterId'])
    const members = toMembers(fields['members'])
    const limits = toLimits(fields['limits'])
    const restored = toRestored(fields['restored'])
    if (clusterId === null || members === null || limits === null || restored === undefined) {
      throw damaged(this.#path, 'it lacks a field or has one of a wrong type')
    }
    return { clusterId, members, limits, restored }
  }

  write(record: FoundingRecord, done: (error: Error | null) => void): void {
    assert(!this.#isWriting && this.read() === null, 'a cluster is founded once')
    this.#isWriting = true
    const text = formatChecked({ version, ...record })
    const written = makeFolder(dirname(this.#path)).then(() => writeDurably(this.#path, text))
    // nextTick takes `done` out of the promise: what it throws is then an uncaught exception like any other.
    written.then(
      () => process.nextTick(done, null),
      (error: unknown) => process.nextTick(done, error instanceof Error ? error : new Error(String(error))),
    )
  }
}

function toMembers(value: unknown): readonly FoundingMember[] | null {
  if (!Array.isArray(value) || value.length === 0) return null
  const members: FoundingMember[] = []
  for (const item of value) {
    if (!isObject(item)) return null
    const id = toNodeId(item['id'])
    const incarnation = toIncarnation(item['incarnation'])
    if (id === null || incarnation === null || members.some((other) => other.id === id)) return null
    members.push({ id, incarnation })
  }
  return members
}

function toLimits(value: unknown): Readonly<Record<string, number>> | null {
  if (!isObject(value)) return null
  const limits: Record<string, number> = {}
  for (const [name, limit] of Object.entries(value)) {
    if (!isCount(limit) || limit === 0) return null
    limits[name] = limit
  }
  return limits
}

/** undefined when it is neither null nor what it should be. */
function toRestored(value: unknown): Restored | null | undefined {
  if (value === null) return null
  if (!isObject(value)) return undefined
  const { from, sha256, firstToken, firstSequence } = value
  const clusterId = toClusterId(from)
  const isHash = typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256)
  if (clusterId === null || !isHash || !isCount(firstToken) || !isCount(firstSequence)) return undefined
  return { from: clusterId, sha256, firstToken: asToken(firstToken), firstSequence: asSequence(firstSequence) }
}
