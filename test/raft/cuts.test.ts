// L3 of the design: any cuts, in either direction, that leave a majority in which every pair can talk both ways get one
// stable leader that commits. The scripts `cloudflare-2020`, `full-omission` and `star` are single cases of this and of its
// limit; here the cuts are drawn.
import fc from 'fast-check'
import t from 'tap'
import { assert } from '../../src/assert.ts'
import { asNodeId, asTerm } from '../../src/ids.ts'
import { cutLink } from '../support/raft-network.ts'
import { run } from '../support/raft-run.ts'
import { seededRandom } from '../support/raft-schedule.ts'
import { createWorld, give, newestLeader } from '../support/raft-world.ts'
import type { World } from '../support/raft-world.ts'

const count = Number(process.env['SCHEDULES'] ?? 40)
// Many take longer than a test may.
if (process.env['SCHEDULES'] !== undefined) t.setTimeout(0)

/** Every timer may have to run out, one after the other, and a leader that nobody answers needs a second to notice. */
const settleMs = 8000

function proposeToLeader(world: World): void {
  const leader = newestLeader(world)
  if (leader !== null) give(world, leader, { kind: 'propose', payload: new Uint8Array(1), note: null, exempt: true })
}

t.test('L3 one stable leader wherever a majority sees each other in pairs', async (t) => {
  const memberCount = fc.constantFrom(3, 5)
  const isCut = fc.array(fc.boolean(), { minLength: 20, maxLength: 20 })
  fc.assert(
    fc.property(memberCount, isCut, fc.nat(), fc.nat(3000), (members, cuts, seed, before) => {
      const random = seededRandom(seed)
      const ids = Array.from({ length: members }, (_, position) => asNodeId(`n${position + 1}`))
      const stored = { term: asTerm(0), votedFor: null, entries: [] }
      const world = createWorld({ members: ids.map((id) => ({ id, random, stored })), networkMs: 1, diskMs: 1 })
      world.timer = { everyMs: 100, dueAt: 0, act: () => proposeToLeader(world) }
      run(world, before)
      // n1, n2 (and n3 of five) see each other; of all other links each direction may be cut.
      const pairs = ids.flatMap((from) => ids.filter((to) => to !== from).map((to) => ({ from, to })))
      const core = ids.slice(0, Math.floor(members / 2) + 1)
      const loose = pairs.filter(({ from, to }) => !(core.includes(from) && core.includes(to)))
      for (const [position, link] of loose.entries()) if (cuts[position] === true) cutLink(world.network, link)
      run(world, world.now + settleMs)
      const leader = newestLeader(world)
      const term = leader?.state.currentTerm
      const committed = world.history.committed.length
      run(world, world.now + 5000)
      const still = newestLeader(world)
      assert(leader !== null && still === leader && still.state.currentTerm === term, 'one leader stays')
      // One entry every 100 ms, and some of them are on their way.
      assert(world.history.committed.length >= committed + 45, 'and commits what is proposed')
    }),
    { numRuns: count },
  )
  t.pass()
})
