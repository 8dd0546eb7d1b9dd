// When a command is told to end and when it is ended, and what the watchdog is told of it.
import fc from 'fast-check'
import t from 'tap'
import { defaultGraceMs, dueNow, graceMaxMs } from '../../src/cli/due.ts'
import { readWord, writeWord } from '../../src/cli/watchdog-words.ts'
import type { Word } from '../../src/cli/watchdog-words.ts'

t.test('SIGTERM is due when the lock is sure for no more than the grace, SIGKILL when it is not sure', async (t) => {
  const asked = { graceMs: 1000, isTerminated: false }
  t.equal(dueNow({ ...asked, remainingMs: 1001 }).kind, 'look_again')
  t.equal(dueNow({ ...asked, remainingMs: 1000 }).kind, 'terminate')
  t.equal(dueNow({ ...asked, remainingMs: 0.1 }).kind, 'terminate')
  t.equal(dueNow({ ...asked, remainingMs: 0 }).kind, 'kill')
  t.equal(dueNow({ ...asked, remainingMs: -5 }).kind, 'kill')
})

t.test('SIGTERM is due once, and without a grace never', async (t) => {
  t.equal(dueNow({ graceMs: 1000, isTerminated: true, remainingMs: 500 }).kind, 'look_again')
  t.equal(dueNow({ graceMs: 0, isTerminated: false, remainingMs: 0.1 }).kind, 'look_again')
})

t.test(
  'nobody sleeps beyond what is due next, nor long: timers do not count while a machine is suspended',
  async () => {
    const outlook = fc.record({
      remainingMs: fc.double({ min: -10, max: 100_000, noNaN: true }),
      graceMs: fc.integer({ min: 0, max: 50_000 }),
      isTerminated: fc.boolean(),
    })
    fc.assert(
      fc.property(outlook, (asked) => {
        const due = dueNow(asked)
        if (due.kind !== 'look_again') return true
        const leftMs = asked.isTerminated ? asked.remainingMs : asked.remainingMs - asked.graceMs
        return due.afterMs > 0 && due.afterMs <= leftMs && due.afterMs <= 200
      }),
    )
  },
)

t.test('the grace is five seconds, or a third of a short TTL, and leaves renewals their time', async (t) => {
  t.same([1000, 9000, 30_000].map(defaultGraceMs), [333, 3000, 5000])
  for (const ttlMs of [1000, 3000, 30_000]) t.ok(defaultGraceMs(ttlMs) <= graceMaxMs(ttlMs))
})

t.test('every word to the watchdog arrives as it was said', async (t) => {
  const at = fc.record({
    monotonicMs: fc.double({ min: 0, max: 1e12, noNaN: true }),
    sinceBootMs: fc.option(fc.integer({ min: 0 })),
  })
  const word: fc.Arbitrary<Word> = fc.oneof(
    fc.record({ kind: fc.constant('mark' as const), mark: fc.stringMatching(/^[0-9a-f]{32}$/) }),
    fc.record({ kind: fc.constant('leader' as const), leader: fc.integer({ min: 2 }) }),
    fc.record({
      kind: fc.constant('deadline' as const),
      at,
      remainingMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
    }),
    fc.record({ kind: fc.constant('done' as const) }),
  )
  fc.assert(
    fc.property(word, (word) => {
      const line = writeWord(word)
      t.ok(line.endsWith('\n'))
      return JSON.stringify(readWord(line.slice(0, -1))) === JSON.stringify(word)
    }),
  )
})

t.test('half a word is none, and no mark marks everything', async (t) => {
  for (const line of [
    '',
    'don',
    'mark',
    'mark ',
    'mark abc',
    'leader',
    'leader 1',
    'leader 0',
    'leader -5',
    'deadline 1 2',
  ])
    t.equal(readWord(line), null, line)
})
