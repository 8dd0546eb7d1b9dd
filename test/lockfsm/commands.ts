// Arbitrary commands for fuzzing: well-typed, from few nodes, locks, sessions and ids so that they meet, and with
// numbers that no gateway would let through.
import fc from 'fast-check'
import { asClusterTime, asLockName, asNodeId, asRequestId, asRun, asSessionId, asToken } from '../../src/ids.ts'
import type { NodeId } from '../../src/ids.ts'
import type { Command, NumberedCommand } from '../../src/lockfsm/command.ts'
import type { Limits } from '../../src/lockfsm/state.ts'

const node = fc.constantFrom('n1', 'n2', 'n3').map(asNodeId)
const run = fc.nat(3).map(asRun)
const lock = fc.constantFrom('a', 'b').map(asLockName)
const sessionId = fc
  .oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 10 }).map((sequence) => `s-${sequence}`) },
    { weight: 1, arbitrary: fc.constantFrom('', 's-', 's-01', 's-9007199254740993', 'toString', '__proto__') },
  )
  .map(asSessionId)
const requestId = fc.constantFrom('r1', 'r2', 'r3', 'r4', '', '__proto__').map(asRequestId)
const token = fc.oneof({ weight: 9, arbitrary: fc.nat(20) }, fc.constantFrom(-1, 0.5, NaN, 2 ** 53)).map(asToken)
const text = fc.option(fc.constantFrom('', 'text', '{"n":1}'), { nil: null })
// One that no time has reached is never too old.
const takenInAt = fc
  .oneof({ weight: 9, arbitrary: fc.constant(2 ** 53) }, fc.constantFrom(0, -1, NaN))
  .map(asClusterTime)
const ttlMs = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(1_000, 5_000, 30_000, 100_000) },
  fc.constantFrom(0, -1, 0.5, NaN, Infinity, 2 ** 53),
)

const session = fc.option(sessionId, { nil: null })
const attempt = fc.record({
  of: fc.constantFrom('acquire' as const, 'openSession' as const),
  session,
  requestId,
  number: fc.nat(60),
})

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.constant({ kind: 'nodeStarted' as const }),
  fc.record({ kind: fc.constant('nodeLost' as const), node, run, number: fc.nat(60) }),
  fc.record({ kind: fc.constant('openSession' as const), requestId, ttlMs, name: text, metadata: text, takenInAt }),
  fc.record({
    kind: fc.constant('renewSessions' as const),
    renewals: fc.array(fc.record({ session: sessionId, ttlMs: fc.option(ttlMs, { nil: null }) }), { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant('closeSession' as const), session: sessionId }),
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('acquire' as const),
      lock,
      session,
      requestId,
      mode: fc.constant('exclusive' as const),
      ttlMs: fc.option(ttlMs, { nil: null }),
      waitMs: ttlMs,
      pollMs: ttlMs,
      owner: text,
      metadata: text,
      takenInAt,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('release' as const), lock, token, session }) },
  fc.record({ kind: fc.constant('renewGrant' as const), lock, token, ttlMs: fc.option(ttlMs, { nil: null }) }),
  fc.record({ kind: fc.constant('cancelRequest' as const), lock, session, requestId }),
  fc.record({ kind: fc.constant('withdraw' as const), attempts: fc.array(attempt, { maxLength: 5 }) }),
)

const sent = fc.record({
  node,
  life: fc.oneof(
    { weight: 30, arbitrary: fc.constant('next' as const) },
    fc.constantFrom('old' as const, 'restart' as const),
  ),
  command,
})

/** How far time moves, and what comes then. */
export interface FuzzEntry {
  readonly movedMs: number
  readonly commands: readonly NumberedCommand[]
}

const movedMs = fc.oneof(fc.constantFrom(0, 1, 999, 1_000, 1_001, 2_000, 10_000), fc.nat(3_000))

/** Numbers grow within a run, but for a few that are sent again, and now and then a node starts again. */
export const anyHistory: fc.Arbitrary<readonly FuzzEntry[]> = fc
  .array(fc.record({ movedMs, commands: fc.array(sent, { maxLength: 6 }) }), { maxLength: 60, size: 'max' })
  .map((entries) => {
    const lives = new Map<NodeId, { run: number; number: number }>()
    return entries.map(({ movedMs, commands }) => ({
      movedMs,
      commands: commands.map(({ node, life: kind, command }) => {
        const life = lives.get(node) ?? { run: 1, number: 0 }
        lives.set(node, life)
        if (kind === 'restart') Object.assign(life, { run: life.run + 1, number: 0 })
        if (kind !== 'old') life.number += 1
        return { origin: { node, run: asRun(life.run), number: life.number }, command }
      }),
    }))
  })

export const anyLimits: fc.Arbitrary<Partial<Limits>> = fc.record(
  {
    sessionsMax: fc.nat(4),
    perSessionMax: fc.nat(3),
    waitersPerLockMax: fc.nat(3),
    sessionlessMax: fc.nat(3),
    attemptsMax: fc.integer({ min: 1, max: 3 }),
    rememberedMax: fc.nat(10),
    endedTokensMax: fc.nat(3),
  },
  { requiredKeys: [] },
)
