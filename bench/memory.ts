// What the lock table alone costs in memory, and how long its greatest pauses are while it grows. Run with:
//   npm run build && node --expose-gc build/bench/memory.js [LOCKS ...]
// Locks are held in ten thousand sessions, and then without. Commands
// come as bytes of entries, because what a decoder hands out can hold on to more than it shows. Bytes are the growth of
// the heap and of what lies outside of it after full collections; pauses are single entries of 32 commands.
import { decodePayload, encodeCommand } from '../src/codec/command.ts'
import { apply } from '../src/lockfsm/apply.ts'
import type { Command } from '../src/lockfsm/command.ts'
import { cutChanges } from '../src/lockfsm/cut.ts'
import { createState, defaultLimits } from '../src/lockfsm/state.ts'
import type { LockState } from '../src/lockfsm/state.ts'
import { asClusterTime, asLockName, asNodeId, asRequestId, asRun } from '../src/ids.ts'
import type { SessionId } from '../src/ids.ts'

const sessionCount = 10_000
const commandsPerEntry = 32
const day = 86_400_000
const time = asClusterTime(3_000_000_000)

export interface TableMemory {
  readonly bytesPerLock: number
  /** Of the slowest entry. */
  readonly pauseMs: number
}

/** A table with so many held locks; `sessions` of them 0 means that every lock has a TTL of its own. */
export function measureTable(locks: number, sessions: number): TableMemory {
  const table = new Filling()
  const opened = table.open(sessions)
  const before = usedBytes()
  const pauseMs = table.hold(locks, opened)
  const bytes = usedBytes() - before
  if (table.state.held !== locks) throw new Error('every lock is held')
  return { bytesPerLock: bytes / locks, pauseMs }
}

class Filling {
  readonly state: LockState = createState(defaultLimits)
  #number = 0

  open(count: number): readonly SessionId[] {
    const ids: SessionId[] = []
    for (let index = 0; index < count; index += 1) {
      const [outcome] = this.#entry([
        {
          kind: 'openSession',
          requestId: asRequestId(`open-${String(index).padStart(17, '0')}`),
          ttlMs: day,
          name: null,
          metadata: null,
          takenInAt: time,
        },
      ])
      if (outcome?.result.kind !== 'sessionOpened') throw new Error('a session opens')
      ids.push(outcome.result.session)
    }
    this.#checkpoint()
    return ids
  }

  /** Returns the milliseconds of the slowest entry. */
  hold(count: number, sessions: readonly SessionId[]): number {
    let pauseMs = 0
    for (let from = 0; from < count; from += commandsPerEntry) {
      const size = Math.min(commandsPerEntry, count - from)
      const begun = performance.now()
      this.#entry(Array.from({ length: size }, (_, index) => acquire(from + index, sessions)))
      pauseMs = Math.max(pauseMs, performance.now() - begun)
      if (from % 10_016 === 0) this.#checkpoint()
    }
    this.#checkpoint()
    return pauseMs
  }

  #entry(commands: readonly Command[]) {
    const node = asNodeId('n1')
    const payload = Buffer.concat(
      commands.map((command) =>
        encodeCommand({ origin: { node, run: asRun(1), number: (this.#number += 1) }, command }),
      ),
    )
    return apply(this.state, { time, commands: decodePayload(payload) })
  }

  #checkpoint(): void {
    const cut = cutChanges(this.state)
    for (;;) {
      const changes = cut.take(1_000)
      // As a checkpoint would, which keeps a hash in every owner.
      for (const change of changes)
        if (change.kind === 'put' && change.owner !== null) change.owner.digested = 2 ** 47 + 1
      if (changes.length === 0) return
    }
  }
}

function acquire(index: number, sessions: readonly SessionId[]): Command {
  const session = sessions[index % Math.max(1, sessions.length)] ?? null
  const serial = String(index).padStart(8, '0')
  return {
    kind: 'acquire',
    lock: asLockName(`/jobs/eu-west-1/${serial}`),
    session,
    requestId: asRequestId(`r-0123456789ab${serial}`),
    mode: 'exclusive',
    ttlMs: session === null ? day : null,
    waitMs: 0,
    pollMs: 0,
    owner: null,
    metadata: null,
    takenInAt: time,
  }
}

function usedBytes(): number {
  if (gc === undefined) throw new Error('run with --expose-gc')
  gc()
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

if (import.meta.filename === process.argv[1]) {
  const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [10_000, 100_000, 1_000_000]
  for (const locks of sizes) {
    for (const [kind, sessions] of [
      [`in ${sessionCount} sessions`, sessionCount],
      ['with TTLs of their own', 0],
    ] as const) {
      const { bytesPerLock, pauseMs } = measureTable(locks, sessions)
      const resident = Math.round(process.memoryUsage().rss / 2 ** 20)
      console.log(
        `${locks} locks ${kind}: ${Math.round(bytesPerLock)} bytes each, slowest entry ${pauseMs.toFixed(1)} ms, resident ${resident} MiB`,
      )
    }
  }
}
