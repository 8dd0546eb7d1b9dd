// Two tables that lived through the same log, and one that did not.
import t from 'tap'
import { fromRecords } from '../../../src/lockfsm/load.ts'
import { toRecords } from '../../../src/lockfsm/records.ts'
import { defaultLimits } from '../../../src/lockfsm/state.ts'
import type { LockState } from '../../../src/lockfsm/state.ts'
import { asSequence } from '../../../src/ids.ts'
import { createRandom } from '../random.ts'
import { ReplicaChecks } from './replicas.ts'
import { everything } from './scrutiny.ts'
import { Witnessed } from './witnessed.ts'

function scene(): { table: Witnessed; checks: ReplicaChecks } {
  const table = new Witnessed()
  const checks = new ReplicaChecks(table.state, createRandom('replicas'), everything)
  table.watch = ({ index, time, commands, outcomes }) =>
    checks.applied(index, { time, commands }, { outcomes, isMark: false })
  return { table, checks }
}

/** As many entries as lie between two digests: somebody holds, others wait. */
function live(table: Witnessed): void {
  table.hold({ session: table.open() })
  while (table.entries.length < 32) table.acquire({ waitMs: 60_000 })
}

function copyOf(state: LockState): LockState {
  return fromRecords([...toRecords(state)].reverse(), defaultLimits)
}

t.test('S7 a member with the same state is right, whatever the order of its records', async (t) => {
  const { table, checks } = scene()
  live(table)
  checks.compareAt('n1', 32, copyOf(table.state))
  checks.compareAll('n1', copyOf(table.state))
  t.equal(table.entries.length, 32)
})

t.test('S7 a member that differs is seen along the way and at the end', async (t) => {
  const { table, checks } = scene()
  live(table)
  const other = copyOf(table.state)
  other.nextSequence = asSequence(other.nextSequence + 1)
  t.throws(() => checks.compareAt('n2', 32, other), /^S7: n2 differs after entry 32/)
  t.throws(() => checks.compareAll('n2', other), /^S7: n2 differs: /)
})

t.test('S7 a member that lacks a record is seen', async (t) => {
  const { table, checks } = scene()
  live(table)
  const behind = copyOf(table.state)
  behind.runs.clear()
  t.throws(() => checks.compareAll('n2', behind), /^S7: n2 differs: /)
})

t.test('S7, H25 a table that answers otherwise than one reloaded from its records is seen', async (t) => {
  const { table } = scene()
  table.hold()
  // Something that apply reads, and that no entry has brought.
  table.state.nextSequence = asSequence(50)
  t.throws(() => table.hold({ lock: 'y' }), /^S7: reloaded from records, entry 2 says/)
})

t.test('S7, H25 a state that differs from one reloaded from its records is seen', async (t) => {
  const { table } = scene()
  table.retell = (outcomes) => {
    if (table.entries.length === 31) table.state.nextSequence = asSequence(1000)
    return outcomes
  }
  t.throws(() => live(table), /^S7: reloaded from records, the state after entry 32 differs/)
})
