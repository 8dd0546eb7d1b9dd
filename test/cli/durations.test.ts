import fc from 'fast-check'
import t from 'tap'
import { durationText, parseDuration } from '../../src/cli/durations.ts'

t.test('durations are a number with a unit, or several, largest first or not', async (t) => {
  const known = {
    '500ms': 500,
    '3s': 3000,
    '2m': 120_000,
    '1h': 3_600_000,
    '1d': 86_400_000,
    '1.5s': 1500,
    '1h30m': 5_400_000,
    '0': 0,
    '0s': 0,
    '0.4ms': 0,
  }
  for (const [text, ms] of Object.entries(known)) t.equal(parseDuration(text), ms, text)
})

t.test('anything else is none: no unit, no number, a sign, blanks, other units', async (t) => {
  for (const text of [
    '',
    '3',
    's',
    '-3s',
    '+3s',
    '3 s',
    ' 3s',
    '3S',
    '3sec',
    '1e3ms',
    '.5s',
    '5.s',
    'forever',
    '3s,',
    '∞',
  ])
    t.equal(parseDuration(text), null, text)
  t.equal(parseDuration(`${'9'.repeat(30)}h`), null)
})

t.test('what is shown never says more than there is, and can be read again', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 400 * 86_400_000 }), (ms) => {
      const shown = parseDuration(durationText(ms))
      return shown !== null && shown <= ms && ms - shown < Math.max(100, ms / 10, 1000)
    }),
  )
  t.same([7, 999, 1000, 4250, 59_999, 60_000, 192_000, 7_500_000, 90_000_000].map(durationText), [
    '7ms',
    '999ms',
    '1.0s',
    '4.2s',
    '59s',
    '1m00s',
    '3m12s',
    '2h05m',
    '1d01h',
  ])
})
