// The clock that deadlines are counted on, with the clocks of the system in the hands of the test.
import t from 'tap'
import { clockOf, elapsedMs, laterOf, leftMs, marginMs, systemClock } from '../../src/client/clock.ts'

/** A machine: its monotonic clock stands still while it is suspended, the one since boot does not. */
class Machine {
  monotonicMs = 1000
  bootMs = 5000
  wallMs = 1e12
  readings = 0
  readonly clock = clockOf({
    monotonic: () => this.monotonicMs,
    sinceBoot: () => {
      this.readings++
      return Math.floor(this.bootMs / 10) * 10
    },
    wall: () => Math.floor(this.wallMs),
  })

  pass(ms: number): this {
    this.monotonicMs += ms
    return this.suspend(ms)
  }

  suspend(ms: number): this {
    this.bootMs += ms
    this.wallMs += ms
    return this
  }
}

t.test('while nothing is suspended, what has passed is exact', async (t) => {
  const machine = new Machine()
  for (const ms of [0.25, 3, 9.9, 400, 5000, 86_400_000]) {
    machine.pass(7)
    const from = machine.clock.now()
    t.ok(Math.abs(elapsedMs({ from, to: machine.pass(ms).clock.now() }) - ms) < 1e-3, `${ms} ms`)
  }
})

t.test('a suspension counts from the first look on, and never as less than it was', async (t) => {
  for (const [before, suspended, after] of [
    [0, 50, 0],
    [3, 20, 0],
    [700, 3_600_000, 0.5],
    [100, 25, 2000],
  ] as const) {
    const machine = new Machine()
    const from = machine.clock.now()
    machine.pass(before)
    machine.clock.now()
    const to = machine.suspend(suspended).pass(after).clock.now()
    const truly = before + suspended + after
    const counted = elapsedMs({ from, to })
    t.ok(counted >= truly && counted <= truly + 20, `${counted} of ${truly} ms`)
  }
})

t.test('the file is read seldom: once a second, and when the wall clock was moved', async (t) => {
  const machine = new Machine()
  for (let look = 0; look < 900; look++) machine.pass(1).clock.now()
  t.equal(machine.readings, 1)
  machine.pass(500).clock.now()
  t.equal(machine.readings, 2)
  const from = machine.clock.now()
  machine.wallMs -= 86_400_000
  t.equal(elapsedMs({ from, to: machine.pass(3).clock.now() }), 3, 'which decides nothing')
  t.equal(machine.readings, 3)
})

t.test('two clocks are read at one moment, or again', async (t) => {
  let monotonicMs = 0
  let delays = 2
  const clock = clockOf({
    monotonic: () => monotonicMs,
    sinceBoot: () => {
      const read = monotonicMs
      // This thread gets no turn for a while.
      if (delays-- > 0) monotonicMs += 40
      return read
    },
    wall: () => monotonicMs,
  })
  t.same(clock.now(), { monotonicMs: 80, sinceBootMs: 80 })
})

t.test('where no clock counts suspension the monotonic one is all there is', async (t) => {
  const clock = clockOf({ monotonic: () => 5, sinceBoot: null, wall: () => 0 })
  t.same(clock.now(), { monotonicMs: 5, sinceBootMs: null })
})

t.test('the clock of this machine moves', async (t) => {
  const from = systemClock.now()
  await new Promise((resolve) => setTimeout(resolve, 5))
  t.ok(elapsedMs({ from, to: systemClock.now() }) >= 4)
})

t.test('of two periods the one that ends later, and the margin before a deadline', async (t) => {
  const at = (monotonicMs: number) => ({ monotonicMs, sinceBootMs: null })
  const [long, short] = [
    { from: at(0), ms: 100 },
    { from: at(50), ms: 40 },
  ]
  t.equal(laterOf(long, short, at(60)), long)
  t.equal(laterOf(short, long, at(60)), long)
  t.equal(leftMs(short, at(60)), 30)
  t.same([1000, 4000, 1_000_000].map(marginMs), [50, 200, 1000])
})
