// Writes and checkpoints that must not be, each shown once to checks that have seen a settled cluster with checkpoints.
import t from 'tap'
import { assert } from '../../../src/assert.ts'
import { asClusterTime, asIndex, asTerm } from '../../../src/ids.ts'
import type { Index } from '../../../src/ids.ts'
import type { LogBatch } from '../../../src/storage/log-store.ts'
import { eager, scene, work } from '../histories/scene.ts'
import type { Machine } from '../machine.ts'
import { KeepingChecks } from './keeping-checks.ts'
import { everything } from './scrutiny.ts'

const nothing = {
  meta: null,
  hardState: null,
  truncateFrom: null,
  entries: [],
  trimTo: null,
  installed: null,
  peers: null,
}

function settled(): { checks: KeepingChecks; b: Machine; covered: Index; lastIndex: Index } {
  const { script, a, b } = scene({ keeping: eager })
  work(script, a)
  script.until(() => script.isSettled, 'all have applied it')
  script.pass(100)
  const { state, lastIndex } = b.disk.durable()
  assert(state.checkpoint !== null && state.checkpoint.index < lastIndex, 'there is a log behind a checkpoint')
  const { raftChecks, lockChecks } = script.world
  const checks = new KeepingChecks({
    scrutiny: everything,
    committedAt: (index) => raftChecks.committedAt(index),
    isTampered: () => false,
  })
  for (const entry of script.entries)
    if (entry.index === state.checkpoint.index) checks.applied(entry, lockChecks.state)
  return { checks, b, covered: state.checkpoint.index, lastIndex }
}

function install(index: number, term: number, keepsTail: boolean): Pick<LogBatch, 'installed'> {
  const start = { index: asIndex(index), term: asTerm(term), time: asClusterTime(1), chain: '', generation: 1 }
  return { installed: { start, keepsTail } }
}

t.test('what a settled cluster writes is right', async (t) => {
  const { checks, b, covered } = settled()
  checks.written(b, { ...nothing, trimTo: covered })
  checks.written(b, { ...nothing, ...install(covered, 1, true) })
  t.pass()
})

t.test('H30 a trim beyond the checkpoint is seen', async (t) => {
  const { checks, b, covered } = settled()
  t.throws(() => checks.written(b, { ...nothing, trimTo: asIndex(covered + 1) }), /^H30: n\d trims to/)
})

t.test('H30 a log that begins elsewhere than the state is seen', async (t) => {
  const { checks, b, covered } = settled()
  const elsewhere = install(covered + 1, 1, true)
  t.throws(() => checks.written(b, { ...nothing, ...elsewhere }), /^H30: n\d begins its log behind/)
})

t.test('H30 a state ahead of its log is seen', async (t) => {
  const { checks, b } = settled()
  b.crash(false)
  const ahead = b.disk.durable().state.checkpoint
  while (b.disk.durable().lastIndex >= (ahead?.index ?? 0))
    assert(b.disk.loseTail('log', 1) > 0, 'there is more to lose')
  t.throws(() => checks.stored(b), /^H30: the state of n\d is that of \d+, its log ends at \d+/)
})

t.test('7 a truncation of what is committed is seen', async (t) => {
  const { checks, b, lastIndex } = settled()
  t.throws(() => checks.written(b, { ...nothing, truncateFrom: lastIndex }), /^7: n\d drops committed entry/)
})

t.test('7 a snapshot of what is not committed, or that drops committed entries behind it, is seen', async (t) => {
  const { checks, b, covered } = settled()
  t.throws(() => checks.written(b, { ...nothing, ...install(covered, 9, true) }), /^7: n\d installs \d+ of term 9/)
  t.throws(
    () => checks.written(b, { ...nothing, ...install(covered, 1, false) }),
    /^7: n\d drops committed entry \d+ behind the snapshot/,
  )
})

t.test('S7 a checkpoint of another state than that of the reference is seen', async (t) => {
  const { checks, b } = settled()
  // The reference has gone on since the mark, and is taken for what it was then.
  t.throws(() => checks.stored(b), /^S7: checkpoint \d+ of n\d is \d+ of \d+, not/)
})
