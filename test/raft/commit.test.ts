// What is committed, and what is handed out to be applied (§5.3, §5.4.2).
import fc from 'fast-check'
import t from 'tap'
import { asIndex } from '../../src/ids.ts'
import type { Entry } from '../../src/raft/entry.ts'
import {
  accepted,
  append,
  becomeFollowerOf,
  becomeLeader,
  entriesFrom,
  give,
  lines,
  persistAll,
  propose,
  receive,
  receiveSnapshot,
  rejected,
  startCore,
  tickAfter,
} from '../support/raft-core.ts'

t.test(
  '§5.4.2 B13 a leader commits by counting only entries of its own term (LeaderOnlyCommitsLogFromCurrentTerm)',
  async (t) => {
    for (const [match, commit] of [
      [1, 0],
      [2, 0],
      [3, 3],
    ] as const) {
      const core = startCore({ term: 2, log: [1, 2] })
      becomeLeader(core)
      receive(core, 'n2', accepted({ term: 3, match }))
      t.equal(core.state.commitIndex, commit)
    }
  },
)

t.test('§5.4.2 a leader without clients commits its no-op and with it all before (B66)', async (t) => {
  const core = startCore({ members: 1, term: 1, log: [1, 1] })
  tickAfter(core, 500)
  persistAll(core)
  t.same(lines(persistAll(core)), ['asks for entries 1..2'])
  t.same(lines(give(core, { kind: 'entriesLoaded', load: 1, entries: entriesFrom(1, [1, 1]) })), [
    'applies 1/1 2/1',
    'applies 3/2',
  ])
})

t.test('§5.3 B15 a rejection commits nothing', async (t) => {
  const core = startCore()
  becomeLeader(core)
  receive(core, 'n2', rejected({ term: 1, at: 1, hint: [1, 1] }))
  receive(core, 'n3', rejected({ term: 1, at: 1, hint: [1, 1] }))
  t.equal(core.state.commitIndex, 0)
})

t.test('thesis §10.2.1 B12 the own disk counts like any other, no more and no less', async (t) => {
  const core = startCore()
  becomeLeader(core)
  propose(core, 'x')
  receive(core, 'n2', accepted({ term: 1, match: 2 }))
  t.equal(core.state.commitIndex, 1, 'x is on one disk of three')
  receive(core, 'n3', accepted({ term: 1, match: 2 }))
  t.equal(core.state.commitIndex, 2, 'on two, neither of them our own')
  t.equal(core.state.durability.durableIndex, 1)
  t.same(persistAll(core), [])

  const first = startCore()
  becomeLeader(first)
  propose(first, 'x')
  persistAll(first)
  t.equal(first.state.commitIndex, 0)
  receive(first, 'n3', accepted({ term: 1, match: 2 }))
  t.equal(first.state.commitIndex, 2)
})

t.test(
  'B19 committed entries are applied once, in order, without gaps, in pages from disk and then from memory',
  async (t) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 12, maxLength: 12 }),
        (stored, pages) => {
          const terms = Array.from({ length: stored }, () => 1)
          const core = startCore({ term: 1, log: terms, options: { windowBytesMax: 100 } })
          const applied: Entry[] = []
          const waiting: { load: number; from: number; to: number }[] = []
          const take = (effects: ReturnType<typeof give>) => {
            for (const effect of effects) {
              if (effect.kind === 'apply') applied.push(...effect.entries)
              if (effect.kind === 'loadEntries') waiting.push(effect)
            }
          }
          becomeFollowerOf(core, 'n2', 1)
          take(
            receive(
              core,
              'n2',
              append({ term: 1, after: [stored, 1], entries: entriesFrom(stored + 1, [1, 1]), commit: stored }),
            ),
          )
          for (const page of pages) {
            const request = waiting.shift()
            if (request === undefined) break
            // While entries are read, more are committed.
            take(receive(core, 'n2', append({ term: 1, after: [stored + 2, 1], commit: stored + 2 })))
            const count = Math.min(page, request.to - request.from + 1)
            take(
              give(core, {
                kind: 'entriesLoaded',
                load: request.load,
                entries: entriesFrom(request.from, terms.slice(0, count)),
              }),
            )
          }
          const indexes = applied.map(({ index }) => index)
          const inOrder = indexes.every((index, position) => index === position + 1)
          if (!inOrder || indexes.length !== core.state.appliedIndex) throw new Error(`applied ${indexes.join()}`)
          if (waiting.length === 0 && indexes.length !== stored + 2) throw new Error(`applied only ${indexes.join()}`)
        },
      ),
    )
    t.pass()
  },
)

t.test('the window of bodies shrinks behind what is applied and durable', async (t) => {
  const core = startCore({ options: { windowBytesMax: 200 } })
  becomeFollowerOf(core, 'n2', 1)
  receive(
    core,
    'n2',
    append({ term: 1, round: 2, entries: entriesFrom(1, [1, 1, 1, 1, 1, 1], 'x'.repeat(52)), commit: 6 }),
  )
  t.equal(core.state.log.window.length, 6, 'all are applied, none is durable')
  persistAll(core)
  receive(core, 'n2', append({ term: 1, round: 3, after: [6, 1], entries: entriesFrom(7, [1]), commit: 7 }))
  t.equal(core.state.log.window.at(0)?.index, asIndex(6))
})

t.test('who has lost its state keeps no more bodies in memory than others: they are on its disk', async (t) => {
  const core = startCore({ term: 1, start: [2, 1], canServe: false, options: { windowBytesMax: 200 } })
  becomeFollowerOf(core, 'n2', 1)
  for (let index = 3; index <= 9; index++) {
    const entries = entriesFrom(index, [1], 'x'.repeat(52))
    receive(core, 'n2', append({ term: 1, round: index, after: [index - 1, 1], entries, commit: index - 1 }))
    if (index < 9) persistAll(core)
  }
  t.equal(core.state.log.window.at(0)?.index, asIndex(8))
  receiveSnapshot(core, [4, 1])
  t.equal(core.state.applyLoad !== null, true, 'what it has to apply then is read back')
})

t.test('a load that nobody waits for is dropped', async (t) => {
  const core = startCore({ term: 1, log: [1] })
  t.same(give(core, { kind: 'entriesLoaded', load: 1, entries: entriesFrom(1, [1]) }), [])
  becomeLeader(core)
  t.same(give(core, { kind: 'entriesLoaded', load: 1, entries: entriesFrom(1, [1]) }), [])
})

t.test('thesis §10.2.1 B11 one who is alone commits what its disk has, and no sooner', async (t) => {
  const core = startCore({ members: 1 })
  tickAfter(core, 500)
  persistAll(core)
  t.match(core.state, { role: { kind: 'leader' }, commitIndex: 0 }, 'it leads, and its no-op is being written')
  t.same(lines(persistAll(core)), ['applies 1/1'])
  t.same(lines(propose(core, 'x')), ['asks for write 3: entries 2/1:x'])
  t.same(lines(tickAfter(core, 10)), [])
  t.same(lines(persistAll(core)), ['applies 2/1:x'])
})
