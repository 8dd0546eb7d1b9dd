// Memory and logs that grow beyond their bounds, each shown once to the check; and a settled cluster, which does not.
import t from 'tap'
import { assert } from '../../../src/assert.ts'
import { asIndex } from '../../../src/ids.ts'
import type { RaftState } from '../../../src/raft/state.ts'
import { eager, scene, work } from '../histories/scene.ts'
import type { Machine } from '../machine.ts'
import { BoundChecks, checkLogLength } from './bounds.ts'

function raftOf({ node }: Machine): RaftState {
  const raft = node?.replica?.core.raft
  assert(raft !== undefined, 'it is a member')
  return raft
}

t.test('32 a cluster at work keeps to its bounds', async (t) => {
  const { script, a, b, c } = scene({ keeping: eager })
  const checks = new BoundChecks()
  for (let times = 0; times < 20; times++) {
    work(script, a, 2)
    for (const machine of [a, b, c]) checks.turned(machine, raftOf(machine))
  }
  script.until(() => script.isSettled, 'all have applied it')
  script.pass(1000)
  for (const machine of [a, b, c]) checkLogLength(machine, eager)
  t.ok(raftOf(a).log.lastIndex > 80, `${raftOf(a).log.lastIndex} entries`)
})

t.test('32 bodies that nobody needs any more are seen', async (t) => {
  const { script, a } = scene()
  const checks = new BoundChecks()
  const raft = raftOf(a)
  checks.turned(a, raft)
  script.hold(a)
  script.pass(100)
  checks.turned(a, raft)
  const { window } = raft.log
  const [first] = window
  assert(first !== undefined, 'it has entries in memory')
  window[0] = { ...first, payload: new Uint8Array(raft.options.windowBytesMax * 2) }
  raft.appliedIndex = asIndex(raft.appliedIndex + 1)
  t.throws(() => checks.turned(a, raft), /^32: n\d keeps \d+ bytes of entries that it is done with/)
})

t.test('32 too much under way to one member is seen', async (t) => {
  const { a, b } = scene()
  const checks = new BoundChecks()
  const raft = raftOf(a)
  assert(raft.role.kind === 'leader', 'it leads')
  const inflight = raft.role.progress.get(b.id)?.inflight
  assert(inflight !== undefined, 'b follows')
  const { inflightMessagesMax, inflightBytesMax } = raft.options
  for (let count = 0; count <= inflightMessagesMax; count++) inflight.push({ lastIndex: asIndex(99 + count), bytes: 1 })
  t.throws(() => checks.turned(a, raft), /^32: n\d has \d+ appends under way to n\d/)
  inflight.length = 0
  inflight.push({ lastIndex: asIndex(99), bytes: inflightBytesMax })
  checks.turned(a, raft)
  inflight.push({ lastIndex: asIndex(100), bytes: 1 })
  t.throws(() => checks.turned(a, raft), /^32: n\d has \d+ bytes under way to n\d/)
})

t.test('32 a log that is kept for ever is seen', async (t) => {
  const { script, a } = scene({ keeping: { ...eager, entries: 10_000 } })
  work(script, a, 60)
  t.throws(() => checkLogLength(a, eager), /^32: the log of n\d has \d+ entries, 74 are enough/)
})
