// Cluster time (DESIGN 4): never backwards, never faster than real time, and slow whenever something is uncertain.
import fc from 'fast-check'
import t from 'tap'
import { asClusterTime } from '../../src/ids.ts'
import { ownEntryCommitted, stamp, startClock, stepClock } from '../../src/raft/cluster-time.ts'
import {
  accepted,
  append,
  becomeLeader,
  entriesFrom,
  persistAll,
  propose,
  receive,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'
import type { Core } from '../support/raft-core.ts'

const zero = asClusterTime(0)

function lastTime({ state }: Core): number {
  return state.log.lastTime
}

/** Everybody acknowledges everything. */
function commitAll(core: Core): void {
  const { lastIndex } = core.state.log
  for (const peer of core.state.members.slice(1))
    receive(core, peer, accepted({ term: core.state.currentTerm, match: lastIndex }))
  persistAll(core)
}

t.test('DESIGN 4 time does not move before the leader has committed an entry of its own term', async (t) => {
  const core = startCore()
  becomeLeader(core)
  tickAfter(core, 150)
  propose(core, 'x')
  t.equal(lastTime(core), 0)
  commitAll(core)
  tickAfter(core, 150)
  propose(core, 'y')
  t.equal(lastTime(core), 150, 'and what passed before is not made up for')
})

t.test('DESIGN 4 a new leader begins at the time of the last entry in its log, committed or not', async (t) => {
  const core = startCore()
  const entry = { ...entriesFrom(1, [1])[0], time: asClusterTime(7777) }
  receive(core, 'n2', append({ term: 1, entries: [entry as ReturnType<typeof entriesFrom>[number]] }))
  persistAll(core)
  becomeLeader(core)
  t.equal(core.state.commitIndex, 0)
  t.equal(lastTime(core), 7777)
})

t.test('DESIGN 4 H9 in steps of 50 ms time runs at full speed, however seldom entries are made', async (t) => {
  const core = startCore()
  becomeLeader(core)
  commitAll(core)
  for (let ms = 50; ms <= 10_000; ms += 50) {
    tickAfter(core, 50)
    if (ms % 500 === 0) {
      propose(core, '')
      t.equal(lastTime(core), ms)
      commitAll(core)
    }
    const { role } = core.state
    if (role.kind === 'leader')
      for (const peer of ['n2', 'n3']) receive(core, peer, accepted({ term: 1, match: 0, round: role.rounds.current }))
  }
})

t.test('DESIGN 4 H5 a step counts at most 200 ms, time runs at most 2 s ahead of the last commit', async (t) => {
  const clock = startClock(zero, 0)
  ownEntryCommitted(clock, zero)
  stepClock(clock, 900)
  t.equal(stamp(clock, zero), 200)
  for (let now = 900; now < 5000; now += 100) stepClock(clock, now)
  t.equal(stamp(clock, zero), 2000)
  ownEntryCommitted(clock, asClusterTime(1500))
  stepClock(clock, 5100)
  t.equal(stamp(clock, zero), 2200, 'from where it stood, not from where it might be')
})

t.test('DESIGN 4 stamps are whole milliseconds, rounded down, never below the entry before', async (t) => {
  const clock = startClock(asClusterTime(10), 0.3)
  ownEntryCommitted(clock, asClusterTime(10))
  stepClock(clock, 2.2)
  t.equal(stamp(clock, zero), 11)
  t.equal(stamp(clock, asClusterTime(50)), 50)
})

t.test('DESIGN 4 many short steps lose nothing of their fractions', async (t) => {
  const clock = startClock(zero, 0)
  ownEntryCommitted(clock, zero)
  for (let step = 1; step <= 4096; step++) stepClock(clock, step / 4)
  t.equal(stamp(clock, zero), 1024)
})

t.test('S5 a clock that goes back and forth counts no time twice', async (t) => {
  const clock = startClock(zero, 0)
  ownEntryCommitted(clock, zero)
  for (const now of [100, 50, 100, 0, 100]) stepClock(clock, now)
  t.equal(stamp(clock, zero), 100)
})

t.test('S5 whatever the clock does, time never runs backwards nor faster than the clock', async (t) => {
  const event = fc.record({
    ms: fc.oneof(fc.double({ min: -50, max: 100, noNaN: true }), fc.nat(3000)),
    commit: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.nat(10_000), fc.array(event, { maxLength: 60 }), (start, events) => {
      const clock = startClock(asClusterTime(start), 0)
      let [now, highest, last, committed] = [0, 0, start, null as number | null]
      for (const { ms, commit } of events) {
        now += ms
        highest = Math.max(highest, now)
        stepClock(clock, now)
        const stamped = stamp(clock, asClusterTime(last))
        if (stamped < last) throw new Error('backwards')
        // Sums of fractions are not exact.
        if (stamped - start > highest + 1e-6) throw new Error('faster than the clock')
        if (stamped > Math.max(last, (committed ?? start - 2000) + 2000))
          throw new Error('too far ahead of the last commit')
        last = stamped
        if (commit) ownEntryCommitted(clock, asClusterTime((committed = stamped)))
      }
    }),
  )
  t.pass()
})

t.test('DESIGN 4 check-quorum is judged before a stamp: after a long stall nothing is stamped at all', async (t) => {
  const core = startCore()
  becomeLeader(core)
  commitAll(core)
  const before = core.state.log.lastIndex
  core.now += 20_000
  propose(core, 'x')
  t.equal(core.state.log.lastIndex, before)
  t.equal(core.state.role.kind, 'follower')
})
