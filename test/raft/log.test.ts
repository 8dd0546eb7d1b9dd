// The log as the core sees it (§5.3): terms as spans, a window of bodies, and the search for where two logs can agree.
import fc from 'fast-check'
import t from 'tap'
import { asClusterTime, asIncarnation, asIndex, asNodeId, asTerm } from '../../src/ids.ts'
import type { Entry } from '../../src/raft/entry.ts'
import {
  append,
  createLog,
  entryBytes,
  lastIndexNotAbove,
  lastTerm,
  loadUpTo,
  replaceFrom,
  shrinkWindow,
  startAt,
  startOver,
  termAt,
  windowFirst,
  windowSlice,
} from '../../src/raft/log.ts'
import type { Log } from '../../src/raft/log.ts'
import { createImage, storedLogOf } from '../support/raft-log-image.ts'

/** A log as a test thinks of it: all its entries, of which those from `windowFrom` on have bodies in memory. */
interface Model {
  entries: Entry[]
  windowFrom: number
  /** Index of the last one that was trimmed. */
  start: number
}

function entry(index: number, term: number, bytes: number): Entry {
  return {
    index: asIndex(index),
    term: asTerm(term),
    time: asClusterTime(index),
    payload: new Uint8Array(bytes),
    ...note(bytes),
  }
}

/** Some entries replace a member. */
function note(bytes: number): Pick<Entry, 'note'> {
  if (bytes % 7 !== 1) return {}
  const disk = asIncarnation(`d${bytes}`)
  return {
    note: { kind: bytes % 2 === 0 ? 'checkpoint' : 'memberReplaced', member: asNodeId('n2'), incarnation: disk },
  }
}

function logOf(entries: readonly Entry[]): Log {
  return createLog(storedLogOf(createImage(new Map(), entries)))
}

function sizeOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, each) => sum + entryBytes(each), 0)
}

function checkEqual(log: Log, model: Model): void {
  const { entries, windowFrom, start } = model
  const expect = (isTrue: boolean, what: string) => {
    if (!isTrue)
      throw new Error(`${what}: ${JSON.stringify({ log, entries: entries.map(({ term }) => term), windowFrom })}`)
  }
  expect(log.lastIndex === entries.length, 'last index')
  expect(lastTerm(log) === (entries.at(-1)?.term ?? 0), 'last term')
  expect(log.lastTime === (entries.at(-1)?.time ?? 0), 'last time')
  expect(windowFirst(log) === windowFrom, 'window')
  expect(log.windowBytes === sizeOf(entries.slice(windowFrom - 1)), 'window bytes')
  for (let index = 0; index <= entries.length + 1; index++) {
    const expected = index === 0 ? 0 : index < start ? null : (entries[index - 1]?.term ?? null)
    expect(termAt(log, asIndex(index)) === expected, `term at ${index}`)
  }
  expect(log.start.index === start && log.spans[0]?.firstIndex === entries[start]?.index, 'start')
  const replaced = entries.filter(({ index, note }) => index > start && note?.kind === 'memberReplaced')
  expect(String(log.replacements.map(({ index }) => index)) === String(replaced.map(({ index }) => index)), 'notes')
}

const terms = fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 12 }).map((list) => list.sort((a, b) => a - b))

type Change =
  | {
      readonly kind: 'append' | 'replace'
      readonly at: number
      readonly terms: readonly number[]
      readonly bytes: number
    }
  | { readonly kind: 'shrink'; readonly bytesMax: number; readonly keepAbove: number }
  | { readonly kind: 'trim'; readonly at: number }

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('append' as const, 'replace' as const),
    at: fc.nat(),
    terms: fc.array(fc.nat(2), { minLength: 1, maxLength: 5 }),
    bytes: fc.nat(60),
  }),
  fc.record({ kind: fc.constant('trim' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('shrink' as const), bytesMax: fc.nat(600), keepAbove: fc.nat(40) }),
)

/** Plays a change on both. New entries' terms rise from that of the entry before them. */
function play(log: Log, model: Model, { ...each }: Change): void {
  if (each.kind === 'shrink') {
    shrinkWindow(log, { bytesMax: each.bytesMax, keepAbove: asIndex(each.keepAbove) })
    const isDue = sizeOf(model.entries.slice(model.windowFrom - 1)) > each.bytesMax * 1.25
    while (isDue && model.windowFrom <= model.entries.length && model.windowFrom <= each.keepAbove) {
      if (sizeOf(model.entries.slice(model.windowFrom - 1)) <= each.bytesMax) break
      model.windowFrom++
    }
    return
  }
  if (each.kind === 'trim') {
    model.start += each.at % (model.entries.length - model.start + 1)
    model.windowFrom = Math.max(model.windowFrom, model.start + 1)
    return startAt(log, asIndex(model.start))
  }
  const isReplacement = each.kind === 'replace' && model.entries.length > model.start
  const left = model.entries.length - model.start
  const first = isReplacement ? model.start + (each.at % left) + 1 : model.entries.length + 1
  let term: number = model.entries[first - 2]?.term ?? 0
  const fresh = each.terms.map((rise, position) =>
    entry(first + position, (term += Math.max(rise, term === 0 ? 1 : 0)), each.bytes),
  )
  if (isReplacement) replaceFrom(log, fresh)
  else append(log, fresh)
  model.entries = [...model.entries.slice(0, first - 1), ...fresh]
  model.windowFrom = Math.min(model.windowFrom, first)
}

t.test(
  '§5.3 §7 append, replaceFrom, startAt and shrinkWindow do to the log what they do to a plain list of entries',
  async (t) => {
    fc.assert(
      fc.property(terms, fc.array(change, { maxLength: 30 }), (stored, changes) => {
        const entries = stored.map((term, position) => entry(position + 1, term, 5))
        const log = logOf(entries)
        const model = { entries, windowFrom: entries.length + 1, start: 0 }
        checkEqual(log, model)
        for (const each of changes) {
          play(log, model, each)
          checkEqual(log, model)
        }
      }),
      { numRuns: 300 },
    )
    t.pass()
  },
)

t.test('§7 a log that starts over behind a snapshot goes on from it', async (t) => {
  const log = logOf([entry(1, 1, 5)])
  append(log, [entry(2, 1, 15), entry(3, 2, 5)])
  t.equal(log.replacements.length, 1, 'entry 2 replaces a member')
  const after = { index: asIndex(9), term: asTerm(4), time: asClusterTime(90) }
  startOver(log, after)
  t.match(log, { lastIndex: 9, lastTime: 90, spans: [], window: [], windowBytes: 0, replacements: [] })
  t.equal(lastTerm(log), 4)
  t.equal(termAt(log, asIndex(9)), 4)
  t.equal(termAt(log, asIndex(8)), null, 'what was before is gone')
  t.equal(windowFirst(log), 10)
  append(log, [{ ...entry(10, 4, 5), time: asClusterTime(90) }])
  t.same(log.spans, [{ term: 4, firstIndex: 10 }])
  t.throws(() => append(log, [{ ...entry(11, 3, 5), time: asClusterTime(91) }]), /term 3 appended behind term 4/)
})

t.test('§7 a stored log knows its start, and of its notes those that replace a member', async (t) => {
  const note = (index: number) => {
    const incarnation = asIncarnation(`d${index}`)
    return { index: asIndex(index), note: { kind: 'memberReplaced' as const, member: asNodeId('n2'), incarnation } }
  }
  const start = { index: asIndex(9), term: asTerm(4), time: asClusterTime(90) }
  const spans = [{ term: asTerm(5), firstIndex: asIndex(10) }]
  const notes = [note(10), { index: asIndex(11), note: { kind: 'checkpoint' as const } }, note(12)]
  const stored = { start, lastIndex: asIndex(12), lastTime: asClusterTime(91), spans, notes }
  const log = createLog(stored)
  t.same(log.replacements, [
    { index: 10, member: 'n2', incarnation: 'd10' },
    { index: 12, member: 'n2', incarnation: 'd12' },
  ])
  t.equal(termAt(log, asIndex(9)), 4)
  t.equal(termAt(log, asIndex(12)), 5)
})

t.test('§5.3 windowSlice gives the entries asked for, the first always, then as many as the bytes allow', async (t) => {
  const sizes = fc.array(fc.nat(100), { minLength: 1, maxLength: 10 })
  fc.assert(
    fc.property(sizes, fc.nat(), fc.nat(), fc.nat(600), (bytes, from, to, bytesMax) => {
      const log = logOf([])
      const all = bytes.map((each, position) => entry(position + 1, 1, each))
      append(log, all)
      const first = (from % all.length) + 1
      const last = first + (to % (all.length - first + 1))
      const slice = windowSlice(log, { from: asIndex(first), to: asIndex(last), bytesMax })
      let expected = 1
      while (first - 1 + expected < last && sizeOf(all.slice(first - 1, first + expected)) <= bytesMax) expected++
      const same = slice.length === expected && slice.every((each, position) => each === all[first - 1 + position])
      if (!same) throw new Error(`${slice.length} entries, ${expected} expected`)
    }),
  )
  t.pass()
})

t.test('§5.3 lastIndexNotAbove is the last entry up to an index whose term is not above a term', async (t) => {
  fc.assert(
    fc.property(terms, fc.nat(14), fc.nat(7), fc.nat(14), (list, index, term, trimmed) => {
      const log = logOf(list.map((each, position) => entry(position + 1, each, 0)))
      startAt(log, asIndex(Math.min(trimmed, list.length)))
      const found = lastIndexNotAbove(log, asIndex(index), asTerm(term))
      let expected = Math.min(index, list.length)
      while (expected > 0 && (list[expected - 1] ?? 0) > term) expected--
      const isGone = expected < log.start.index
      const expectedTerm = expected === 0 ? 0 : list[expected - 1]
      const same = isGone ? found === null : found?.index === expected && found.term === expectedTerm
      if (!same) throw new Error(`${JSON.stringify(found)}, ${expected} expected`)
    }),
  )
  t.pass()
})

t.test('§5.3 B33 two logs find where they agree in as many steps as they have terms there', async (t) => {
  const tail = fc.array(fc.integer({ min: 3, max: 40 }), { maxLength: 60 }).map((list) => list.sort((a, b) => a - b))
  fc.assert(
    fc.property(terms, tail, tail, (common, ours, theirs) => {
      const prefix = common.filter((term) => term <= 2)
      // Odd terms on one side, even ones on the other: behind the prefix nothing agrees.
      const leader = [...prefix, ...ours.map((term) => term * 2)]
      const follower = [...prefix, ...theirs.map((term) => term * 2 + 1)]
      const logs = [leader, follower].map((list) => logOf(list.map((each, position) => entry(position + 1, each, 0))))
      const [leaderLog, followerLog] = logs
      if (leaderLog === undefined || followerLog === undefined) throw new Error('two logs')
      let probe = asIndex(leader.length)
      let steps = 0
      while (termAt(followerLog, probe) !== termAt(leaderLog, probe)) {
        const hint = lastIndexNotAbove(followerLog, probe, termAt(leaderLog, probe) ?? asTerm(0))
        const agreed = hint && lastIndexNotAbove(leaderLog, hint.index, hint.term)?.index
        if (agreed === undefined || agreed === null || agreed >= probe)
          throw new Error('each answer leads further back')
        probe = agreed
        steps++
      }
      const distinct = new Set([...ours, ...theirs]).size
      if (probe !== Math.min(prefix.length, leader.length) || steps > distinct + 1)
        throw new Error(`${steps} steps to ${probe}`)
    }),
  )
  t.pass()
})

t.test('§5.3 the window is dropped seldom, by the quarter, and never what is still needed', async (t) => {
  const log = logOf([])
  append(
    log,
    [1, 2, 3, 4, 5].map((index) => entry(index, 1, 52)),
  )
  shrinkWindow(log, { bytesMax: 400, keepAbove: asIndex(5) })
  t.equal(log.window.length, 5, '500 bytes are not much more than 400')
  shrinkWindow(log, { bytesMax: 300, keepAbove: asIndex(1) })
  t.equal(windowFirst(log), 2)
  shrinkWindow(log, { bytesMax: 330, keepAbove: asIndex(5) })
  t.equal(windowFirst(log), 2, '400 are not much more than 330')
  shrinkWindow(log, { bytesMax: 250, keepAbove: asIndex(5) })
  t.equal(windowFirst(log), 4)
})

t.test('§5.3 an entry that does not follow the last one, or is older than it, is refused by assertion', async (t) => {
  const log = logOf([entry(1, 2, 0)])
  for (const each of [entry(3, 2, 0), entry(1, 2, 0), entry(2, 1, 0), { ...entry(2, 2, 0), time: asClusterTime(0) }]) {
    t.throws(() => append(log, [each]), /appended behind/)
  }
  t.throws(() => replaceFrom(log, []), /at least one entry/)
  t.throws(() => replaceFrom(log, [entry(2, 2, 0)]), /outside the log/)
  t.throws(() => windowSlice(log, { from: asIndex(1), to: asIndex(1), bytesMax: 9 }), /not in memory/)
})

t.test('what is read from the disk at once is bounded, also when the entries are empty', async (t) => {
  t.equal(loadUpTo(asIndex(5), asIndex(5)), 5)
  t.equal(loadUpTo(asIndex(5), asIndex(5 + 8191)), 5 + 8191)
  t.equal(loadUpTo(asIndex(5), asIndex(1_000_000)), 5 + 8191)
})
