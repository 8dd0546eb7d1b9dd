// What a leader believes of one member (§5.3): its counters are those of what is really under way, whatever comes in
// whatever order, and return to nothing when all is acknowledged.
import fc from 'fast-check'
import t from 'tap'
import { asIndex } from '../../src/ids.ts'
import { acknowledged, appendSent, createProgress, hasRoom, probeFrom } from '../../src/raft/progress.ts'
import type { Progress } from '../../src/raft/progress.ts'
import { defaultRaftOptions } from '../../src/raft/state.ts'

const options = { ...defaultRaftOptions, inflightMessagesMax: 4, inflightBytesMax: 100 }

function check(progress: Progress, lastIndex: number): void {
  const { matchIndex, nextIndex, inflight, inflightBytes } = progress
  const bytes = inflight.reduce((sum, each) => sum + each.bytes, 0)
  if (bytes !== inflightBytes) throw new Error(`${inflightBytes} bytes in flight, not ${bytes}`)
  if (matchIndex >= nextIndex || nextIndex > lastIndex + 1)
    throw new Error(`match ${matchIndex} next ${nextIndex} last ${lastIndex}`)
  const ascends = inflight.every(
    ({ lastIndex: last }, position) => last > (inflight[position - 1]?.lastIndex ?? matchIndex),
  )
  if (!ascends || (inflight.at(-1)?.lastIndex ?? 0) >= nextIndex)
    throw new Error('the pipeline lies between match and next')
  if (progress.mode === 'probe' && inflight.length > 0) throw new Error('a probe has no pipeline')
}

t.test('§5.3 B24 B31 counters are right after 100,000 random events, and zero when all is acknowledged', async (t) => {
  const progress = createProgress(asIndex(0), 0)
  let seed = 4711
  const draw = (below: number) => (seed = (seed * 48271) % 2147483647) % below
  let lastIndex = 1
  let match = 0
  let sends = 0
  for (let event = 0; event < 100_000; event++) {
    const kind = draw(12)
    if (kind < 3) {
      lastIndex += draw(3)
    } else if (kind < 7 && hasRoom(progress, options)) {
      const upTo = Math.min(lastIndex, progress.nextIndex + draw(5) - 1)
      appendSent(progress, { lastIndex: asIndex(upTo), bytes: draw(40) })
      sends++
    } else if (kind < 10) {
      // The member tells the truth, however late: something between nothing and the last entry sent to it.
      const sent =
        progress.mode === 'probe' ? (progress.probe?.lastIndex ?? progress.matchIndex) : progress.nextIndex - 1
      acknowledged(progress, asIndex(draw(Math.max(sent, progress.matchIndex) + 1)))
    } else if (kind === 10) {
      probeFrom(progress, asIndex(progress.matchIndex + 1 + draw(lastIndex - progress.matchIndex + 1)))
    } else if (progress.mode === 'probe') {
      progress.probe = null
    }
    check(progress, lastIndex)
    if (progress.matchIndex < match) throw new Error('the match never goes back')
    match = progress.matchIndex
  }
  t.ok(sends > 1000, `${sends} appends were sent`)
  acknowledged(progress, asIndex(lastIndex))
  t.match(progress, { matchIndex: lastIndex, nextIndex: lastIndex + 1, inflightBytes: 0, inflight: [], probe: null })
})

t.test('§5.3 a probe is one append at a time; the pipeline takes as many as its limits say', async (t) => {
  const progress = createProgress(asIndex(0), 0)
  t.ok(hasRoom(progress, options))
  appendSent(progress, { lastIndex: asIndex(2), bytes: 30 })
  t.notOk(hasRoom(progress, options))
  appendSent(progress, { lastIndex: asIndex(0), bytes: 0 })
  t.match(progress.probe, { lastIndex: 2 }, 'an empty append does not hide what the one before carried')
  acknowledged(progress, asIndex(0))
  t.match(progress, { nextIndex: 3, inflightBytes: 30 })
  appendSent(progress, { lastIndex: asIndex(3), bytes: 69 })
  t.ok(hasRoom(progress, options), '99 bytes of 100')
  appendSent(progress, { lastIndex: asIndex(4), bytes: 1 })
  t.notOk(hasRoom(progress, options))
  acknowledged(progress, asIndex(2))
  t.ok(hasRoom(progress, options))
  progress.load = 1
  t.notOk(hasRoom(progress, options), 'while entries are being read nothing is sent past them')
})

t.test('§5.3 an acknowledgement frees what it covers, in part or as a whole', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 }),
      fc.nat(60),
      (lengths, match) => {
        const progress = createProgress(asIndex(0), 0)
        acknowledged(progress, asIndex(0))
        let last = 0
        for (const length of lengths) appendSent(progress, { lastIndex: asIndex((last += length)), bytes: length })
        acknowledged(progress, asIndex(Math.min(match, last)))
        let end = 0
        const left = lengths.filter((length) => (end += length) > match)
        if (progress.inflightBytes !== left.reduce((sum, each) => sum + each, 0))
          throw new Error(`${progress.inflightBytes} left`)
      },
    ),
  )
  t.pass()
})
