// The encoding of the small cluster: it keeps all that a step can read, and members are interchangeable in it. Both are
// tried on worlds along random walks of the real core.
import fc from 'fast-check'
import t from 'tap'
import { asIo } from '../../src/ids.ts'
import type { RaftState } from '../../src/raft/state.ts'
import { raftModel, smallestBounds } from './raft-model.ts'
import type { RaftAction } from './raft-model.ts'
import { decodeWorld } from './raft-read.ts'
import { encodeLeast } from './raft-symmetry.ts'
import type { Member, World } from './raft-world.ts'
import { encodeWorld } from './raft-write.ts'

const counts = { terms: 3, commands: 3, drops: 1, duplicates: 1, crashes: 1, heartbeats: 2 }
const model = raftModel({ ...smallestBounds, ...counts })

/** Every number chooses one of the actions that there are. */
const walks = fc.array(fc.nat(), { minLength: 80, maxLength: 100, size: 'max' })

function walk(choices: readonly number[], visit: (before: World, action: RaftAction, after: World) => void): void {
  let world = model.settle(model.start())
  for (const choice of choices) {
    const actions = model.actions(world)
    const action = actions[choice % actions.length]
    if (action === undefined) return
    const after = model.perform(world, action)
    visit(world, action, after)
    world = model.settle(after)
  }
}

t.test('what is encoded of a member is all of it but times, polls and numbers of writes', async (t) => {
  let commits = 0
  fc.assert(
    fc.property(walks, (choices) => {
      walk(choices, (_, __, after) => {
        const again = decodeWorld(encodeWorld(after, [0, 1, 2]).slice())
        after.members.forEach((member, place) => {
          const loaded = again.members[place]
          if (loaded === undefined) throw new Error('a member is lost')
          same(plain(loaded), plain(member))
          commits += member.state.commitIndex
        })
        same([again.links, again.left, again.past], [after.links, after.left, after.past])
      })
    }),
    { numRuns: 30 },
  )
  t.ok(commits > 0, 'the walks went as far as a commit')
})

t.test('worlds that differ in who is called what have one encoding, and the same next ones', async (t) => {
  fc.assert(
    fc.property(walks, (choices) => {
      walk(choices, (before, _, after) => {
        const least = encodeLeast(after).slice()
        for (const order of [
          [1, 0, 2],
          [2, 0, 1],
          [0, 2, 1],
        ]) {
          const renamed = decodeWorld(encodeWorld(after, order).slice())
          same(Buffer.compare(encodeLeast(renamed), least), 0)
          same(nextOf(decodeWorld(encodeWorld(before, order).slice())), nextOf(before))
        }
      })
    }),
    { numRuns: 3 },
  )
  t.pass()
})

/** All that can come next, in any order. */
function nextOf(world: World): string[] {
  return model
    .actions(world)
    .map((action) => Buffer.from(encodeLeast(model.perform(world, action))).toString('hex'))
    .sort()
}

/** A member without what the encoding leaves out: writes counted from the last that is done, no times, no polls. */
function plain({ state, disk, queue, outbox }: Member): unknown {
  const { durability, log, role, random: _, ...rest } = state
  const relative = (io: number): number => Math.max(0, io - durability.doneIo)
  return {
    ...{ ...rest, now: 0, poll: 0, nextLoad: 0 },
    log: { ...log, window: codes(log.window) },
    durability: {
      ...durability,
      ...{ lastIo: relative(durability.lastIo), doneIo: 0, hardStateIo: relative(durability.hardStateIo) },
      unsynced: durability.unsynced.map(({ firstIndex, io }) => ({ firstIndex, io: relative(io) })),
      underWay: durability.underWay.map(({ io }) => relative(io)),
    },
    role: plainRole(role, relative),
    disk: { ...disk, entries: codes(disk.entries) },
    queue: queue.map((write) => ({ ...write, io: relative(write.io), entries: codes(write.entries) })),
    outbox: outbox
      .map(({ to, after, message }) => ({ to, after: relative(after), message }))
      .sort((a, b) => a.to - b.to),
  }
}

function codes(entries: readonly { index: number; term: number; payload: Uint8Array }[]): string[] {
  return entries.map(({ index, term, payload }) => `${index}/${term}:${payload.join()}`)
}

function plainRole(role: RaftState['role'], relative: (io: number) => number): unknown {
  switch (role.kind) {
    case 'leader': {
      const progress = [...role.progress].map(([id, each]) => [id, { ...each, contactAt: 0 }])
      const rounds = { current: role.rounds.current, count: role.rounds.startedAt.length }
      return { ...role, progress, rounds, clock: null, heartbeatDueAt: 0, nextOfferAt: 0 }
    }
    case 'candidate': {
      const { grantedBy, voteIo } = role
      return { kind: 'candidate', grantedBy: [...grantedBy].sort(), voteIo: asIo(relative(voteIo)) }
    }
    case 'follower':
      return { ...role, leaderHeardAt: 0, electionDeadline: 0, hurryUntil: 0 }
    case 'preCandidate':
      return role
  }
}

function same(actual: unknown, wanted: unknown): void {
  const [left, right] = [JSON.stringify(actual, ordered), JSON.stringify(wanted, ordered)]
  if (left !== right) throw new Error(`${left}\n${right}`)
}

/** Maps and sets as lists, and the fields of a record by name. */
function ordered(_: string, value: unknown): unknown {
  if (value instanceof Map || value instanceof Set) return [...value]
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
