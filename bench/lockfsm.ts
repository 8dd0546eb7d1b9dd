// What one command costs in `apply`, and what a record costs in memory. Run with:
//   npm run build && node --expose-gc build/bench/lockfsm.js
// Times are medians over entries of one process, with the means, which hold the collector's share; bytes are the growth
// of the heap after full collections. Counters and cluster time start above 2^31, as after a month in service: V8 keeps
// greater numbers in boxes of their own.
import { apply } from '../src/lockfsm/apply.ts'
import type { Command, NumberedCommand } from '../src/lockfsm/command.ts'
import { changedCount, cutChanges } from '../src/lockfsm/cut.ts'
import type { Outcome } from '../src/lockfsm/outcome.ts'
import { fromRecords } from '../src/lockfsm/load.ts'
import { defaultLimits } from '../src/lockfsm/state.ts'
import type { LockState } from '../src/lockfsm/state.ts'
import {
  asClusterTime,
  asLockName,
  asNodeId,
  asRequestId,
  asRun,
  asSequence,
  asSessionId,
  asToken,
} from '../src/ids.ts'
import type { LockName, SessionId, Token } from '../src/ids.ts'

const startTime = 3_000_000_000
const startNumber = 5_000_000_000
const commandsPerEntry = 32
/** A checkpoint is made when so much has changed. */
const changedMax = 20_000
const day = 86_400_000

/** A table and the one node that sends it commands, packed into entries as a leader would. */
class World {
  readonly state: LockState
  time = startTime
  private number = 0
  private readonly node = asNodeId('n1')
  private readonly run = asRun(1)

  constructor() {
    const counters = {
      kind: 'counters' as const,
      time: asClusterTime(startTime),
      nextSequence: asSequence(startNumber),
      nextToken: asToken(startNumber),
      nextEnding: 1,
    }
    this.state = fromRecords([counters], defaultLimits)
  }

  entry(commands: readonly Command[]): readonly Outcome[] {
    if (changedCount(this.state) > changedMax) this.cut()
    return apply(this.state, { time: asClusterTime(this.time), commands: this.numbered(commands) })
  }

  /** Applies one entry and returns the microseconds that each command took. */
  timed(commands: readonly Command[], onOutcome: (outcome: Outcome) => void): number {
    if (changedCount(this.state) > changedMax) this.cut()
    const entry = { time: asClusterTime(this.time), commands: this.numbered(commands) }
    const before = performance.now()
    const outcomes = apply(this.state, entry)
    const spent = performance.now() - before
    outcomes.forEach(onOutcome)
    return (spent * 1000) / commands.length
  }

  /** What has changed is read out, as a checkpoint does it. */
  cut(): void {
    const cut = cutChanges(this.state)
    while (cut.take(1_000).length > 0);
  }

  private numbered(commands: readonly Command[]): readonly NumberedCommand[] {
    return commands.map((command) => ({
      origin: { node: this.node, run: this.run, number: (this.number += 1) },
      command,
    }))
  }
}

let named = 0
/** Fresh strings each time, as from a decoder: 24 characters of lock, 22 of request id. */
const lockName = (): LockName => asLockName(fresh(`/jobs/eu-west-1/${serial(8)}`))
const requestId = () => asRequestId(fresh(`r-0123456789ab${serial(8)}`))
const serial = (digits: number): string => String((named += 1)).padStart(digits, '0')
const fresh = (text: string): string => Buffer.from(text).toString('latin1')

function acquire(session: SessionId | null, { lock = lockName(), waitMs = 0, takenInAt = startTime } = {}): Command {
  return {
    kind: 'acquire',
    lock,
    session,
    requestId: requestId(),
    mode: 'exclusive',
    ttlMs: session === null ? day : null,
    waitMs,
    pollMs: waitMs,
    owner: null,
    metadata: null,
    takenInAt: asClusterTime(takenInAt),
  }
}

function open(world: World): SessionId {
  const command: Command = {
    kind: 'openSession',
    requestId: requestId(),
    ttlMs: day,
    name: null,
    metadata: null,
    takenInAt: asClusterTime(world.time),
  }
  const result = world.entry([command])[0]?.result
  if (result?.kind !== 'sessionOpened') throw new Error('a session opens')
  return result.session
}

interface Held {
  readonly lock: LockName
  readonly token: Token
}

function holdMany(world: World, count: number, session: SessionId | null): Held[] {
  const held: Held[] = []
  const note = ({ result }: Outcome): void => {
    if (result.kind === 'granted') held.push({ lock: result.lock, token: result.token })
  }
  for (let from = 0; from < count; from += commandsPerEntry) {
    const size = Math.min(commandsPerEntry, count - from)
    world.entry(Array.from({ length: size }, () => acquire(session))).forEach(note)
  }
  return held
}

/** Entries of 32 acquires and of their 32 releases in turn, beside 10,000 locks that stay held. */
function pairs(kind: 'session' | 'own TTL'): void {
  const world = new World()
  const session = kind === 'session' ? open(world) : null
  holdMany(world, 10_000, session)
  const acquires: number[] = []
  const releases: number[] = []
  for (let round = 0; round < 10_000; round += 1) {
    // As at 8,000 pairs a second, so that as much is remembered as then.
    world.time += commandsPerEntry / 8
    const held: Held[] = []
    acquires.push(
      world.timed(
        Array.from({ length: commandsPerEntry }, () => acquire(session, { takenInAt: world.time })),
        ({ result }) => {
          if (result.kind === 'granted') held.push(result)
        },
      ),
    )
    const back = held.map(({ lock, token }): Command => ({
      kind: 'release',
      lock: asLockName(fresh(lock)),
      token,
      session,
    }))
    releases.push(world.timed(back, () => {}))
  }
  print(`acquire, ${kind}`, `${steady(acquires)} us`)
  print(`release, ${kind}`, `${steady(releases)} us`)
}

/** One lock with 1,000 in line: a release that grants the next, and an acquire that gets in line behind. */
function handOver(): void {
  const world = new World()
  const session = open(world)
  const lock = asLockName('/contended')
  let holder: Token | null = null
  const note = ({ result }: Outcome): void => {
    if (result.kind === 'granted') holder = result.token
  }
  for (let index = 0; index < 1_001; index += 1) world.entry([acquire(session, { lock, waitMs: day })]).forEach(note)
  const costs: number[] = []
  for (let round = 0; round < 100_000; round += 1) {
    if (holder === null) throw new Error('somebody holds')
    world.time += round % 5 === 0 ? 1 : 0
    const next = acquire(session, { lock, waitMs: day, takenInAt: world.time })
    costs.push(2 * world.timed([{ kind: 'release', lock, token: holder, session }, next], note))
  }
  print('release, grant to the next, and a new waiter', `${steady(costs)} us`)
}

function renewals(): void {
  const world = new World()
  const sessions = Array.from({ length: 100_000 }, () => open(world))
  const costs: number[] = []
  for (let round = 0; round < 400; round += 1) {
    world.time += 10
    const renewed = Array.from({ length: 250 }, (_, index) => ({
      session: asSessionId(fresh(sessions[(round * 250 + index * 397) % sessions.length] ?? '')),
      ttlMs: null,
    }))
    const before = performance.now()
    world.entry([{ kind: 'renewSessions', renewals: renewed }])
    costs.push(((performance.now() - before) * 1000) / renewed.length)
  }
  print('renewal of one of 100,000 sessions', `${steady(costs)} us`)
}

function memory(): void {
  bytesPer('session without requests', 100_000, (world, count) => {
    for (let index = 0; index < count; index += 1) open(world)
  })
  bytesPer('lock held in a session', 100_000, (world, count) => {
    holdMany(world, count, open(world))
  })
  bytesPer('lock held with its own TTL', 100_000, (world, count) => {
    holdMany(world, count, null)
  })
  bytesPer('waiter in a session', 20_000, (world, count) => {
    const session = open(world)
    const lock = lockName()
    for (let index = 0; index < count; index += 1) world.entry([acquire(session, { lock, waitMs: day })])
  })
  for (const [kind, perSession] of [
    ['busy session', 200_000],
    ['session with one each', 1],
    ['no session', 0],
  ] as const) {
    bytesPer(`remembered release (${kind})`, 200_000, (world, count) => remember(world, count, perSession))
  }
}

/** `count` released requests, `perSession` in each session; what the sessions themselves cost is taken off. */
function remember(world: World, count: number, perSession: number): number {
  const sessions = perSession === 0 ? [null] : Array.from({ length: Math.ceil(count / perSession) }, () => open(world))
  const before = heapBytes()
  const each = count / sessions.length
  for (const session of sessions) {
    for (let done = 0; done < each; done += 1) {
      const [outcome] = world.entry([acquire(session)])
      if (outcome?.result.kind !== 'granted') throw new Error('a free lock is granted')
      world.entry([
        { kind: 'release', lock: asLockName(fresh(outcome.result.lock)), token: outcome.result.token, session },
      ])
    }
  }
  return before
}

function bytesPer(what: string, count: number, fill: (world: World, count: number) => number | void): void {
  const world = new World()
  const empty = heapBytes()
  const before = fill(world, count) ?? empty
  world.cut()
  print(what, `${Math.round((heapBytes() - before) / count)} bytes`)
  // Read afterwards, so that the state is not collected before it was measured.
  if (world.state.time < startTime) throw new Error('time never runs backwards')
}

function heapBytes(): number {
  if (gc === undefined) throw new Error('run with --expose-gc')
  gc()
  gc()
  return process.memoryUsage().heapUsed
}

/** Median and mean of the second half, when all is warm and as much is remembered as ever will be. */
function steady(costs: readonly number[]): string {
  const half = costs.slice(costs.length >> 1)
  const mean = half.reduce((sum, cost) => sum + cost, 0) / half.length
  return `${median(half).toFixed(2)} (mean ${mean.toFixed(2)})`
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? NaN
}

function print(what: string, figure: string): void {
  console.log(`${what.padEnd(44)}${figure.padStart(22)}`)
}

pairs('session')
pairs('own TTL')
handOver()
renewals()
memory()
