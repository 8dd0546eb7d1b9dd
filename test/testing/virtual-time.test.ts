import t from 'tap'
import { VirtualTime } from '../../src/testing/virtual-time.ts'

t.test('time stands still by itself, and timers fire in the order of their times', async (t) => {
  const time = new VirtualTime()
  const fired: string[] = []
  const note = (what: string) => () => void fired.push(`${what} at ${time.now()}`)
  time.setTimer(30, note('c'))
  time.setTimer(10, note('a'))
  time.setTimer(10, note('b'))
  time.setTimer(20, note('never')).cancel()
  await new Promise((resolve) => setImmediate(resolve))
  t.same(fired, [])
  await time.advance(29)
  t.same(fired, ['a at 10', 'b at 10'])
  t.equal(time.now(), 29)
  await time.advance(1)
  t.same(fired, ['a at 10', 'b at 10', 'c at 30'])
})

t.test('what a timer sets off has come to rest before the next fires', async (t) => {
  const time = new VirtualTime()
  const seen: string[] = []
  time.setTimer(10, () => {
    time.stir()
    void Promise.resolve()
      .then(() => new Promise((resolve) => setImmediate(resolve)))
      .then(() => seen.push(`promise at ${time.now()}`))
    time.soon(() => seen.push(`soon at ${time.now()}`))
  })
  time.setTimer(11, () => seen.push('next'))
  await time.advance(100)
  t.same(seen, ['soon at 10', 'promise at 10', 'next'])
})

t.test('a timer that is set again and again gets somewhere', async (t) => {
  const time = new VirtualTime()
  let fired = 0
  const again = (): void => {
    fired++
    time.setTimer(1e-9, again)
  }
  again()
  await time.advance(10)
  t.equal(fired, 11)
})

t.test('soon: in order, not at once, and without a caller who lets time pass', async (t) => {
  const time = new VirtualTime()
  const seen: number[] = []
  time.soon(() => {
    seen.push(1)
    time.soon(() => seen.push(3))
  })
  time.soon(() => seen.push(2))
  t.same(seen, [])
  await new Promise((resolve) => setImmediate(resolve))
  t.same(seen, [1, 2, 3])
  t.equal(time.now(), 0)
})

t.test('who moves the clock takes turns', async (t) => {
  const time = new VirtualTime()
  await Promise.all([time.advance(10), time.advance(10), time.until(() => time.now() >= 20, 'twenty')])
  t.equal(time.now(), 20)
})

t.test('until says what did not come about', async (t) => {
  const time = new VirtualTime()
  time.setTimer(500, () => {})
  await t.rejects(
    time.until(() => false, 'a miracle', 100),
    { message: 'within 100 ms there was still not: a miracle' },
  )
})

t.test('time waits for work that takes real time', async (t) => {
  const time = new VirtualTime()
  let isDone = false
  const work = new Promise<void>((resolve) => setTimeout(resolve, 30)).then(() => void (isDone = true))
  let wasDone: boolean | null = null
  time.setTimer(5, () => (wasDone = isDone))
  void time.during(work)
  await time.advance(5)
  t.equal(wasDone, true)
})
