// Reads that show what was not, or not yet, or no longer; and reads of the past that are right.
import t from 'tap'
import { asIndex, asToken } from '../../../src/ids.ts'
import { lockNamed } from '../../lockfsm/table.ts'
import { ReadChecks } from './reads.ts'
import { Witnessed } from './witnessed.ts'

const x = lockNamed('x')

/** Entry 1 grants token 1, entry 2 makes somebody wait, entry 3 hands over to token 2. */
function history(): ReadChecks {
  const table = new Witnessed()
  const checks = new ReadChecks()
  table.watch = ({ state, index }) => checks.applied(state, index)
  const { token } = table.hold()
  table.acquire({ waitMs: 5000 })
  table.release(token)
  return checks
}

function read(index: number, after: number, token: number | null, queueLength: number) {
  const facts = { token: token === null ? null : asToken(token), queueLength }
  return { lock: x, index: asIndex(index), after, facts }
}

t.test('S6 reads of every moment are right', async (t) => {
  const checks = history()
  checks.checkRead({ ...read(1, 0, null, 0), lock: lockNamed('never held') })
  checks.checkRead(read(1, 0, 1, 0))
  checks.checkRead(read(2, 2, 1, 1))
  checks.checkRead(read(3, 2, 2, 0))
  checks.checkRead(read(9, 3, 2, 0))
  t.pass('nobody objects')
})

t.test('S6 a read older than what somebody was told before it began is seen', async (t) => {
  t.throws(() => history().checkRead(read(2, 3, 1, 1)), /^S6: a read saw entry 2, but 3 was answered before/)
})

t.test('S6 a holder who does not hold is seen', async (t) => {
  t.throws(() => history().checkRead(read(3, 3, 1, 0)), /^S6: x at entry 3: read token 1 .* but it was token 2/)
})

t.test('S6 a queue of another length is seen', async (t) => {
  t.throws(() => history().checkRead(read(2, 2, 1, 0)), /^S6: x at entry 2/)
})

t.test('S6 a read of the future is seen', async (t) => {
  t.throws(() => history().checkRead(read(2, 2, 2, 0)), /^S6: x at entry 2/)
})
