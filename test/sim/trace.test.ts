// The trace is what says that two runs are one (RAFT.md 2, 18): it must notice the least difference between them.
import t from 'tap'
import { asNodeId } from '../../src/ids.ts'
import { Timeline } from './timeline.ts'
import { Trace } from './trace.ts'

const [n1, n2] = [asNodeId('n1'), asNodeId('n2')]

/** The hash of a run of one frame, one note and one more frame. */
function hashOf(run: { bytes?: readonly number[]; note?: string; from?: typeof n1; atMs?: number } = {}): string {
  const { bytes = [1, 2, 3], note = 'n1 leads', from = n1, atMs = 5 } = run
  const timeline = new Timeline()
  const trace = new Trace(timeline, () => {})
  trace.frame(from, n2, Uint8Array.from(bytes))
  timeline.at(atMs, () => trace.note(note))
  timeline.step(1000)
  trace.frame(n2, n1, Uint8Array.of(9))
  return trace.hash
}

t.test('18 the same run has the same trace, and any difference is seen', async (t) => {
  t.equal(hashOf(), hashOf())
  const others = [
    hashOf({ bytes: [1, 2, 4] }),
    hashOf({ bytes: [1, 2] }),
    hashOf({ bytes: [2, 1, 3] }),
    hashOf({ note: 'n2 leads' }),
    hashOf({ from: n2 }),
    hashOf({ atMs: 5.002 }),
  ]
  t.equal(new Set([hashOf(), ...others]).size, others.length + 1)
})
