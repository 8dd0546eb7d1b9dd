// The trace is what says that two runs are one (RAFT.md 2, 18): it must notice the least difference between them.
import t from 'tap'
import { asIndex, asNodeId } from '../../src/ids.ts'
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

t.test('18 turns, writes and answers are part of the run', async (t) => {
  const hashAfter = (what: (trace: Trace) => void): string => {
    const trace = new Trace(new Timeline(), () => {})
    what(trace)
    return trace.hash
  }
  const batch = {
    truncateFrom: null,
    installed: null,
    entries: [],
    trimTo: null,
    hardState: null,
    meta: null,
    installing: null,
    peers: [],
  }
  const hashes = [
    hashAfter(() => {}),
    hashAfter((trace) => trace.turn(n1)),
    hashAfter((trace) => trace.turn(n2)),
    hashAfter((trace) => trace.write(n1, batch)),
    hashAfter((trace) => trace.write(n1, { ...batch, trimTo: asIndex(7) })),
    hashAfter((trace) => trace.answer(n1, 'outcome', 7)),
    hashAfter((trace) => trace.answer(n1, 'outcome', 8)),
    hashAfter((trace) => trace.answer(n1, 'noLeader', 7)),
  ]
  t.equal(new Set(hashes).size, hashes.length)
})

t.test('18 of two runs it is known in which second they part', async (t) => {
  const traceOf = (notes: readonly string[]): Trace => {
    const timeline = new Timeline()
    const trace = new Trace(timeline, () => {})
    for (const [place, note] of notes.entries()) timeline.at([100, 2500, 4200][place] ?? 0, () => trace.note(note))
    while (timeline.step(10_000));
    return trace
  }
  const partsFrom = (...notes: string[]) => traceOf(['a', 'b', 'c']).partsFrom(traceOf(notes))
  t.equal(partsFrom('a', 'b', 'c'), null)
  t.equal(partsFrom('x', 'b', 'c'), 0)
  t.equal(partsFrom('a', 'x', 'c'), 2)
  t.equal(partsFrom('a', 'b', 'x'), 4)
  t.equal(partsFrom('a', 'b'), 2, 'the second in which the shorter one ended')
})

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
