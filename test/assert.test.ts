import t from 'tap'
import { assert, AssertionFailure, unreachable } from '../src/assert.ts'

t.test('assert lets a true condition pass and names what failed otherwise', async (t) => {
  assert(true, 'never seen')
  t.throws(() => assert(false, 'tokens only grow'), new AssertionFailure('tokens only grow'))
})

t.test('unreachable throws with the value that should not exist', async (t) => {
  t.throws(() => unreachable('vote' as never), /"vote"/)
})
