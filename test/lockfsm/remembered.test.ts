import t from 'tap'
import fc from 'fast-check'
import { asClusterTime, asLockName, asRequestId, asSessionId, asToken } from '../../src/ids.ts'
import {
  bucketNumber,
  createRemembered,
  forgetOld,
  forgetSession,
  recallOpening,
  recallRequest,
  rememberOpening,
  rememberReleased,
  rememberRequest,
  wasReleased,
} from '../../src/lockfsm/remembered.ts'
import type { Memory, RequestKey } from '../../src/lockfsm/remembered.ts'

const key = (id: string, session: string | null = null): RequestKey => ({
  session: session === null ? null : asSessionId(session),
  requestId: asRequestId(id),
})
const bucketAt = (time: number): number => bucketNumber(asClusterTime(time))

t.test('every way to end is recalled as it was', async (t) => {
  const remembered = createRemembered()
  const memories: Memory[] = [
    { how: 'released', token: asToken(1) },
    { how: 'expired', token: asToken(2 ** 53 - 1) },
    { how: 'session_closed', token: asToken(3) },
    { how: 'unclaimed', token: asToken(4) },
    { how: 'withdrawn', token: null },
    { how: 'refused', token: null },
  ]
  for (const session of [null, 's-1']) {
    memories.forEach((memory, index) => rememberRequest(remembered, 0, key(`r${index}`, session), memory))
    memories.forEach((memory, index) => t.same(recallRequest(remembered, key(`r${index}`, session)), memory))
  }
  t.equal(recallRequest(remembered, key('r0', 's-2')), null)
  t.equal(recallRequest(remembered, key('r9')), null)
})

t.test('what is remembered is forgotten after 60 s at least and 70 s at most', async (t) => {
  for (const endedAt of [0, 1, 9_999, 10_000, 34_567]) {
    const remembered = createRemembered()
    rememberRequest(remembered, bucketAt(endedAt), key('one'), { how: 'withdrawn', token: null })
    rememberOpening(remembered, bucketAt(endedAt), asRequestId('opening'), asSessionId('s-1'))
    rememberReleased(remembered, bucketAt(endedAt), asToken(1), asLockName('x'))
    forgetOld(remembered, asClusterTime(endedAt + 60_000))
    t.equal(remembered.count, 3)
    t.not(recallRequest(remembered, key('one')), null)
    t.equal(recallOpening(remembered, asRequestId('opening')), 's-1')
    t.ok(wasReleased(remembered, asLockName('x'), asToken(1)))
    forgetOld(remembered, asClusterTime(endedAt + 70_000))
    t.equal(remembered.count, 0)
    t.same(remembered.buckets, [])
    t.notOk(wasReleased(remembered, asLockName('x'), asToken(1)))
  }
})

t.test('a session takes its requests with it, but not that a token was released', async (t) => {
  const remembered = createRemembered()
  const released: Memory = { how: 'released', token: asToken(1) }
  rememberReleased(remembered, 0, asToken(1), asLockName('x'))
  rememberRequest(remembered, 0, key('one', 's-1'), released)
  rememberRequest(remembered, 1, key('two', 's-1'), { how: 'expired', token: asToken(2) })
  rememberRequest(remembered, 1, key('two', 's-2'), { how: 'expired', token: asToken(3) })
  t.equal(remembered.count, 3, 'a released request counts once')
  forgetSession(remembered, asSessionId('s-1'))
  t.equal(remembered.count, 2)
  t.equal(recallRequest(remembered, key('one', 's-1')), null)
  t.not(recallRequest(remembered, key('two', 's-2')), null)
  t.ok(wasReleased(remembered, asLockName('x'), asToken(1)))
  t.notOk(wasReleased(remembered, asLockName('y'), asToken(1)), 'a token belongs to its lock')
  forgetOld(remembered, asClusterTime(70_000))
  t.equal(remembered.count, 1)
  forgetOld(remembered, asClusterTime(80_000))
  t.equal(remembered.count, 0)
})

t.test('with and without the filter the same is recalled, whatever comes and goes', async (t) => {
  // More than are looked for without a filter; ids are drawn from few, so that many are recalled.
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const remembered = createRemembered()
      const plain = new Map<string, number>()
      let random = seed
      for (let step = 0; step < 40_000; step += 1) {
        random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
        const time = step * 5
        const id = `r-${(random >>> 8) % 15_000}`
        if (step % 1_000 === 0) {
          forgetOld(remembered, asClusterTime(time))
          for (const [known, bucket] of plain) if (bucketAt(time) - bucket >= 7) plain.delete(known)
        }
        const isKnown = recallRequest(remembered, key(id)) !== null
        if (isKnown !== plain.has(id)) throw new Error(`${id} is ${isKnown ? '' : 'not '}recalled at step ${step}`)
        if (isKnown) continue
        rememberRequest(remembered, bucketAt(time), key(id), { how: 'withdrawn', token: null })
        plain.set(id, bucketAt(time))
      }
      if (remembered.filter === null) throw new Error('the filter was never used')
      if (remembered.count !== plain.size) throw new Error('the count is wrong')
    }),
    { numRuns: 2 },
  )
  t.pass()
})
