// The whole of the lock checks on a log of their own: that every part is told of every entry, and that attempts which keep
// a grant for nobody are found.
import t from 'tap'
import { encodeCommand } from '../../../src/codec/command.ts'
import { asClusterTime, asIndex, asRun, asTerm } from '../../../src/ids.ts'
import type { NodeId } from '../../../src/ids.ts'
import type { NumberedCommand } from '../../../src/lockfsm/command.ts'
import { defaultLimits } from '../../../src/lockfsm/state.ts'
import { Table } from '../../lockfsm/table.ts'
import { createRandom } from '../random.ts'
import { LockChecks } from './lock-checks.ts'
import { everything } from './scrutiny.ts'

/** Numbers commands as nodes do, and commits each in an entry of its own. */
class Log {
  readonly checks = new LockChecks({
    limits: defaultLimits,
    now: () => 0,
    random: createRandom('log'),
    scrutiny: everything,
  })
  readonly nodes = new Table()

  commit(numbered: NumberedCommand, time = 0): void {
    this.checks.committed({
      index: asIndex(this.checks.index + 1),
      term: asTerm(1),
      time: asClusterTime(time),
      payload: encodeCommand(numbered),
    })
  }
}

/** Somebody holds by an attempt at n1 with the mark `attempt`. */
function held(): { log: Log; requestId: string; attempt: NumberedCommand } {
  const log = new Log()
  const requestId = 'of-the-holder-000'
  const attempt = log.nodes.numbered(log.nodes.acquireCommand({ requestId, owner: 'attempt' }))
  log.commit(attempt)
  return { log, requestId, attempt }
}

const runs = (run: number | null) => ({ runOf: (_node: NodeId) => (run === null ? null : asRun(run)) })

t.test('H13 an attempt that keeps a grant although its node answered something else is a ghost', async (t) => {
  const { log } = held()
  t.strictSame(log.checks.ghosts({ ...runs(1), grantsBegun: new Set() }), ['attempt of token 1'])
})

t.test('H13 an attempt that was answered, or whose process is gone, is none', async (t) => {
  const { log } = held()
  t.strictSame(log.checks.ghosts({ ...runs(1), grantsBegun: new Set(['attempt']) }), [])
  t.strictSame(log.checks.ghosts({ ...runs(2), grantsBegun: new Set() }), [])
  t.strictSame(log.checks.ghosts({ ...runs(null), grantsBegun: new Set() }), [])
})

t.test('every part sees every entry', async (t) => {
  const { log, attempt } = held()
  const { checks } = log
  t.equal(checks.index, 1)
  t.equal(checks.lives.grants.size, 1)
  t.strictSame(checks.answers.markAt(attempt.origin), 'attempt')
  t.throws(() => checks.reads.checkRead(emptyRead), /^S6: /)
  t.throws(() => checks.answers.definitelyNotDone('attempt', 'noLeader'), /^S4: /)
})

t.test('21 a command that comes twice has one effect', async (t) => {
  const { log, attempt } = held()
  log.commit(attempt)
  t.equal(log.checks.lives.grants.size, 1)
})

const emptyRead = {
  lock: new Table().hold().lock,
  index: asIndex(1),
  after: 0,
  facts: { token: null, queueLength: 0 },
}
