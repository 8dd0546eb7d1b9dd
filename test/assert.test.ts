import t from 'tap'
import { assert, AssertionFailure, unreachable } from '../src/assert.ts'

t.test('assert lets a true condition pass and names what failed otherwise', async (t) => {
  assert(true, 'never seen')
  t.throws(() => assert(false, 'tokens only grow'), new AssertionFailure('tokens only grow'))
})

t.test('a message that is a function is made when it is needed, and only then', async (t) => {
  assert(true, () => String(t.fail('made for nothing')))
  t.throws(() => assert(false, () => `token ${7}`), new AssertionFailure('token 7'))
})

t.test('unreachable throws with the value that should not exist', async (t) => {
  t.throws(() => unreachable('vote' as never), /"vote"/)
})
