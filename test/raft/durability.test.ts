// The io rule (DESIGN 3): which entries are durable when a write completes, and what may be said before.
import fc from 'fast-check'
import t from 'tap'
import { asIndex, asIo } from '../../src/ids.ts'
import { writeUnderWayMs } from '../../src/raft/durability.ts'
import type { Persist } from '../../src/raft/effect.ts'
import type { Entry } from '../../src/raft/entry.ts'
import {
  append,
  becomeFollowerOf,
  becomeLeader,
  entriesFrom,
  give,
  persistAll,
  propose,
  receive,
  requestVote,
  sent,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'

const persisted = (io: number) => ({ kind: 'persisted', io: asIo(io) }) as const

t.test(
  'H29 a tail that was replaced and restored is durable when its last write is, not the first (ABA)',
  async (t) => {
    const core = startCore({ term: 5, log: [5] })
    receive(core, 'n2', append({ term: 5, after: [1, 5], entries: entriesFrom(2, [5]) })) // write 1: 2/5
    receive(core, 'n3', append({ term: 6, after: [1, 5], entries: entriesFrom(2, [6]) })) // 2: term 6; 3: 2/6
    receive(core, 'n2', append({ term: 7, after: [1, 5], entries: entriesFrom(2, [5]) })) // 4: term 7; 5: 2/5
    for (const [io, durable] of [
      [1, 1],
      [2, 1],
      [3, 1],
      [4, 1],
      [5, 2],
    ] as const) {
      give(core, persisted(io))
      t.equal(core.state.durability.durableIndex, durable, `after write ${io}`)
    }
  },
)

t.test('H29 the vote that rode on a replaced write is told when that write is done', async (t) => {
  const core = startCore({ term: 5, log: [5] })
  receive(core, 'n2', append({ term: 5, after: [1, 5], entries: entriesFrom(2, [5]) })) // write 1
  core.now += 600
  t.same(sent(receive(core, 'n3', requestVote({ term: 7, last: [2, 6] }))), [
    '-> n3 requestVoteResponse term 7 granted (after write 3)',
  ])
  receive(core, 'n3', append({ term: 7, after: [1, 5], entries: entriesFrom(2, [6, 7]) })) // write 4 replaces 2/5
  give(core, persisted(3))
  t.equal(core.state.durability.durableIndex, 1)
  t.match(core.state.durability, { hardStateIo: 3, doneIo: 3 })
  t.same(sent(receive(core, 'n3', append({ term: 7, round: 2, after: [1, 5] }))), [
    '-> n3 appendAccepted term 7 match 1 round 2',
  ])
})

t.test('B23 what is replaced is durable no longer, though its old write was done', async (t) => {
  const core = startCore({ term: 1, log: [1, 1, 1] })
  t.equal(core.state.durability.durableIndex, 3)
  receive(core, 'n2', append({ term: 2, after: [1, 1], entries: entriesFrom(2, [2]) }))
  t.equal(core.state.durability.durableIndex, 1)
  persistAll(core)
  t.equal(core.state.durability.durableIndex, 2)
})

t.test('B25 truncation and append are one write, up to the end of the log', async (t) => {
  const core = startCore({ term: 1, log: [1, 1, 1] })
  const writes = receive(core, 'n2', append({ term: 2, after: [1, 1], entries: entriesFrom(2, [2, 2]) })).filter(
    (effect): effect is Persist => effect.kind === 'persist',
  )
  t.match(writes.at(-1), { truncateFrom: 2, entries: [{ index: 2 }, { index: 3 }] })
  t.equal(writes.length, 2, 'after that of the term')
})

t.test('DESIGN 3 whatever is said in a term waits for the write that stored the term', async (t) => {
  const core = startCore()
  t.match(sent(receive(core, 'n2', append({ term: 1 })))[0], '(after write 1)')
  t.match(sent(receive(core, 'n2', append({ term: 1, round: 2 })))[0], '(after write 1)')
  give(core, { kind: 'read', id: 1 })
  persistAll(core)
  t.same(sent(receive(core, 'n2', append({ term: 1, round: 3 })))[0], '-> n2 appendAccepted term 1 match 0 round 3')
})

t.test('thesis §10.2.1 a leader sends entries without waiting for its own disk', async (t) => {
  const core = startCore()
  becomeLeader(core)
  propose(core, 'x')
  t.notOk(sent(tickAfter(core, 75)).some((line) => line.includes('after write')))
})

t.test('DESIGN 3 durable is exactly what no write under way has yet to bring (model)', async (t) => {
  const round = fc.record({ at: fc.nat(), length: fc.integer({ min: 1, max: 4 }), done: fc.nat(3) })
  fc.assert(
    fc.property(fc.array(round, { maxLength: 25 }), (rounds) => {
      const core = startCore({ members: 3 })
      const queue: Persist[] = []
      const disk: Entry[] = []
      let memory: Entry[] = []
      for (const [position, { at, length, done }] of rounds.entries()) {
        // Each leader replaces the log from somewhere on; terms rise, so every replacement differs.
        const term = position + 1
        const keep = at % (memory.length + 1)
        const after = [keep, memory[keep - 1]?.term ?? 0] as const
        const entries = entriesFrom(
          keep + 1,
          Array.from({ length }, () => term),
        )
        const effects = receive(core, position % 2 === 0 ? 'n2' : 'n3', append({ term, after, entries }))
        memory = [...memory.slice(0, keep), ...entries]
        for (const effect of effects) if (effect.kind === 'persist') queue.push(effect)
        const completed = queue.splice(0, done)
        for (const write of completed) {
          if (write.truncateFrom !== null) disk.length = write.truncateFrom - 1
          disk.push(...write.entries)
        }
        const last = completed.at(-1)
        if (last !== undefined) give(core, persisted(last.io))
        // What is durable: entries of the disk that are in memory, too, and that nothing in the queue will touch.
        const touched = Math.min(
          ...queue.flatMap((write) => write.entries.map(({ index }) => index as number)),
          Infinity,
        )
        const expected = Math.min(disk.length, memory.length, touched - 1)
        const { durableIndex } = core.state.durability
        if (durableIndex !== expected) throw new Error(`durable up to ${durableIndex}, not ${expected}`)
      }
    }),
    { numRuns: 500 },
  )
  t.pass()
})

t.test('DESIGN 3 how long the oldest write has been under way', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  t.equal(writeUnderWayMs(core.state), 0)
  receive(core, 'n2', append({ term: 1, entries: entriesFrom(1, [1]) }))
  tickAfter(core, 30)
  receive(core, 'n2', append({ term: 1, after: [1, 1], entries: entriesFrom(2, [1]) }))
  tickAfter(core, 30)
  t.equal(writeUnderWayMs(core.state), 60)
  give(core, persisted(2))
  t.equal(writeUnderWayMs(core.state), 30)
  persistAll(core)
  t.equal(writeUnderWayMs(core.state), 0)
})

t.test('DESIGN 3 a completion that was never asked for, or came before, stops the process', async (t) => {
  const core = startCore()
  becomeFollowerOf(core, 'n2', 1)
  t.throws(() => give(core, persisted(1)), /write 1 completed after 1/)
  t.throws(() => give(core, persisted(9)), /write 9 completed/)
  t.equal(core.state.log.lastIndex, asIndex(0))
})
