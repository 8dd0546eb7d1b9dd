// A small exploration of each world, which the next line of `npm run explore` only makes larger, and the proof that an
// exploration can say no: cores and tables with a bug are found, with a short way to it.
import t from 'tap'
import {
  acknowledgesReceived,
  answersBeforeSync,
  countsOldTerms,
  countsTokensAnew,
  endsEarly,
  truncatesOnOverlap,
  votesTwice,
} from './broken-cores.ts'
import { lockModel } from './lock-model.ts'
import type { Table } from './lock-model.ts'
import { raftModel, smallestBounds } from './raft-model.ts'
import type { RaftBounds } from './raft-model.ts'
import type { Core } from './raft-world.ts'
import { explore } from './search.ts'

const limits = { statesMax: 20_000, secondsMax: 200 }

t.test('RAFT 2: every interleaving of one term, with a message lost, keeps every promise', async (t) => {
  const report = explore(raftModel({ ...smallestBounds, terms: 1, commands: 0, drops: 1 }), limits)
  t.equal(report.breach, null)
  t.ok(report.isWhole, `${report.states} states are all that there are`)
})

const wider: readonly (Partial<RaftBounds> & { readonly name: string })[] = [
  { name: 'two terms, a crash and a lost message', drops: 1, crashes: 1 },
  { name: 'two terms behind an elected leader', from: 'elected', commands: 2, crashes: 1, heartbeats: 1 },
  { name: 'messages in any order, one of them twice', from: 'elected', network: 'any', duplicates: 1 },
]
for (const { name, ...bounds } of wider) {
  t.test(`RAFT 2: the first 5,000 states of ${name} keep every promise`, async (t) => {
    const report = explore(raftModel({ ...smallestBounds, ...bounds }), { ...limits, statesMax: 5_000 })
    t.equal(report.breach, null)
    t.equal(report.states, 5_000)
  })
}

const cores: readonly { name: string; core: Core; bounds: Partial<RaftBounds>; message: RegExp; steps: number }[] = [
  { name: 'votes twice in a term', core: votesTwice, bounds: {}, message: /a vote is given once/, steps: 8 },
  {
    name: 'commits an entry of an old term by counting',
    core: countsOldTerms,
    bounds: { from: 'uncommitted', commands: 0 },
    message: /only entries of its own term/,
    steps: 14,
  },
  {
    name: 'truncates on any overlap',
    core: truncatesOnOverlap,
    bounds: { from: 'elected', commands: 2, duplicates: 1, network: 'any' },
    message: /what is verified is in the log/,
    steps: 12,
  },
  { name: 'speaks before its disk knows', core: answersBeforeSync, bounds: {}, message: /its disk knows/, steps: 3 },
  {
    name: 'acknowledges what it has not stored',
    core: acknowledgesReceived,
    bounds: { from: 'elected' },
    message: /acknowledges 2, its disk ends at 1/,
    steps: 8,
  },
]
for (const { name, core, bounds, message, steps } of cores) {
  t.test(`an exploration finds a core that ${name}`, async (t) => {
    const { breach, states } = explore(raftModel({ ...smallestBounds, ...bounds }, core), limits)
    t.comment(`${states} states; ${breach?.message}\n${breach?.script.join('\n')}`)
    t.match(breach?.message, message)
    t.ok((breach?.script.length ?? Infinity) <= steps, `${breach?.script.length} steps`)
  })
}

t.test('every order of two commands to the lock table, and of time passing twice, keeps every promise', async (t) => {
  const report = explore(lockModel({ commands: 2, passes: 2 }), limits)
  t.equal(report.breach, null)
  t.ok(report.isWhole, `${report.states} states are all that there are`)
})

const tables: readonly { name: string; table: Table; message: RegExp }[] = [
  { name: 'counts tokens anew', table: countsTokensAnew, message: /token|counter/ },
  { name: 'ends sessions early', table: endsEarly, message: /may believe so until/ },
]
for (const { name, table, message } of tables) {
  t.test(`an exploration finds a lock table that ${name}`, async (t) => {
    const { breach } = explore(lockModel({ commands: 3, passes: 2 }, table), limits)
    t.comment(`${breach?.message}\n${breach?.script.join('\n')}`)
    t.match(breach?.message, message)
    t.ok((breach?.script.length ?? Infinity) <= 4, `${breach?.script.length} steps`)
  })
}
