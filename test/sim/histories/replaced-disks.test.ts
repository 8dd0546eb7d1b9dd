// Histories of disks that were lost and came back empty (H24, H28): catching up alone cures forgotten entries, never
// forgotten votes, so a new disk counts for nothing until the cluster has taken it in. W is the one whose disk is lost.
import t from 'tap'
import { assert } from '../../../src/assert.ts'
import { asLockName } from '../../../src/ids.ts'
import type { Origin } from '../../../src/lockfsm/command.ts'
import { answerOf } from '../script.ts'
import { askToTakeIn, doesCount, eager, leads, remount, said, scene, takeIn, wipe, work } from './scene.ts'

t.test('H28 (a) an empty disk does not elect who lacks what the lost one had acknowledged', async (t) => {
  const { script, a, b, c: w } = scene()
  script.isolate(b)
  const grant = script.hold(a, { ttlMs: 600_000 })
  t.ok(b.disk.durable().lastIndex < w.disk.durable().lastIndex, 'it is on a and W')
  wipe(script, w)
  t.equal(askToTakeIn(script, w, a), 'unknown', 'a alone is no majority without W')
  a.process?.pauseUntil(script.now + 20_000)
  script.heal()
  w.start()
  script.pass(19_000)
  t.notOk(leads(b) || leads(w), 'b and W do not elect each other')
  script.until(() => script.isSettled && leads(a) !== leads(b), 'a is back')
  t.equal(script.read(b), grant.token)
  takeIn(script, w, a)
  t.equal(script.holder(), grant.token)
})

t.test('H28 (b) an empty disk does not vote a second time in a term in which the lost one has voted', async (t) => {
  const { script, a, b, c: w } = scene()
  // By the vote of W alone: b is away.
  script.isolate(b)
  a.crash(false)
  a.start()
  script.until(() => script.world.leader !== null && a.isUp && (leads(a) || leads(w)), 'one of two leads')
  if (leads(w)) {
    script.replicaOf(w).transfer({ to: a.id, done: () => {} })
    script.until(() => leads(a) && !leads(w), 'a leads')
  }
  const { currentTerm, votedFor } = w.disk.durable().hardState
  t.equal(votedFor, a.id)
  t.ok(b.disk.durable().hardState.currentTerm < currentTerm, 'b has not heard of it')
  wipe(script, w)
  script.isolate(a)
  script.world.network.heal(b.id, w.id)
  script.world.network.heal(w.id, b.id)
  w.start()
  script.pass(20_000)
  t.notOk(leads(b) || leads(w), 'nobody is elected beside a')
  t.ok(w.disk.durable().hardState.votedFor === null, 'W has not voted')
  script.heal()
  script.until(() => leads(a) || leads(b), 'a majority can talk')
  script.until(() => b.node?.replica?.leader === script.leader.id && script.isSettled, 'and agrees')
  script.world.failures.delete(w.id)
  takeIn(script, w, leads(a) ? a : b)
  t.ok(doesCount(w))
})

t.test('H28 (c) of five, two lose their disks, one while the other is being taken in', async (t) => {
  const { script, a, b: w, c: v } = scene({ members: 5 })
  const others = script.followers.filter((machine) => machine !== w && machine !== v)
  const grant = script.hold(a, { ttlMs: 600_000 })
  wipe(script, w)
  const [first, second] = others
  assert(first !== undefined && second !== undefined, 'two others')
  // With W out it takes three of the four: a, one more, and V.
  script.isolate(first)
  wipe(script, v)
  t.equal(askToTakeIn(script, w, second), 'unknown', 'two of five are no majority')
  t.not(askToTakeIn(script, v, second), 'done', 'nor are they for the other')
  for (const machine of [w, v]) machine.start()
  script.pass(10_000)
  t.notOk(doesCount(w) || doesCount(v), 'with too few others they stay out')
  for (const machine of [w, v]) script.world.failures.delete(machine.id)
  script.heal()
  script.until(() => [a, first, second].some(leads), 'three of five can talk')
  script.until(() => script.isSettled, 'and agree')
  takeIn(script, w, second)
  takeIn(script, v, second)
  first.crash(true)
  second.crash(true)
  script.until(() => script.world.leader?.isUp === true && script.isSettled, 'the new disks are a majority with a')
  t.equal(script.read(w), grant.token)
})

t.test('two lose their disks one after the other, and a third is cut off: tokens only grow', async (t) => {
  const { script, a, b, c } = scene({ keeping: eager })
  let last = script.hold(a).token
  for (const w of [b, c, b]) {
    const member = w === c ? b : a
    work(script, a)
    wipe(script, w)
    takeIn(script, w, member)
    script.until(() => script.isSettled, 'it has caught up')
    const grant = script.hold(w, { lock: asLockName('tokens') })
    script.release(w, grant)
    t.ok(grant.token > last)
    last = grant.token
  }
  a.crash(true)
  script.until(() => (leads(b) || leads(c)) && script.isSettled, 'the new disks lead')
  t.ok(script.hold(b, { lock: asLockName('other') }).token > last)
  t.ok(said(script, /taking a snapshot/) >= 3, 'they were brought back by snapshots')
})

t.test('an empty disk in place of the leader is taken in by its successor', async (t) => {
  const { script, a: w, b } = scene()
  const grant = script.hold(b, { ttlMs: 600_000 })
  w.crash(false)
  script.until(() => script.world.leader?.isUp === true, 'another leads')
  wipe(script, w)
  takeIn(script, w, b)
  script.until(() => script.isSettled, 'it has caught up')
  t.equal(script.read(w), grant.token)
})

t.test(
  'H24 the runs of a new disk begin above those of the lost one, and no old attempt is named like a new one',
  async (t) => {
    const { script, a, b: w, c } = scene()
    for (let starts = 0; starts < 3; starts++) {
      w.crash(true)
      w.start()
      script.until(() => script.isSettled, 'it is back')
    }
    const held = script.hold(a, { ttlMs: 600_000 })
    // An attempt of the lost disk waits, and its client has a retry at c.
    const requestId = script.requestId()
    script.acquire(w, { requestId })
    script.pass(50)
    const retry = script.acquire(c, { requestId })
    script.pass(50)
    const runOfW = (): number => script.world.lockChecks.state.runs.get(w.id)?.run ?? 0
    const before = runOfW()
    const isLater = ({ node, run }: Origin): boolean => node === w.id && run > before
    wipe(script, w)
    takeIn(script, w, a)
    script.until(() => script.committed('nodeStarted').some(({ origin }) => isLater(origin)), 'its run is announced')
    t.ok(runOfW() > before, `run ${runOfW()} behind ${before}`)
    // As many commands as the lost disk had numbered, the last of them withdrawn.
    const waiting = Array.from({ length: 4 }, () => script.acquire(w, { requestId: script.requestId() }))
    script.pass(50)
    for (const told of waiting) told.hangUp()
    script.until(() => script.committed('withdraw').length >= 4, 'they are withdrawn')
    script.release(a, held)
    script.until(() => retry.reply !== null, 'it is the turn of the retry')
    t.equal(answerOf(retry), 'granted')
  },
)

t.test('a disk that was replaced and comes back is refused, and says so', async (t) => {
  const { script, a, b: w } = scene()
  const old = w.disk
  wipe(script, w)
  takeIn(script, w, a)
  w.crash(false)
  w.disk = old
  w.start()
  script.until(() => script.world.failures.has(w.id), 'it ends')
  t.equal(script.world.failures.get(w.id)?.code, 'stranger')
  t.match(script.world.failures.get(w.id)?.message, /another disk/)
})

t.test('a disk that was replaced before it ever counted is refused, too', async (t) => {
  const { script, a, b, c: w } = scene()
  wipe(script, w)
  t.equal(askToTakeIn(script, w, a), 'done')
  w.start()
  const named = w.disk
  script.until(() => named.durable().meta?.founded === true, 'it is let in')
  w.crash(true)
  t.equal(named.durable().meta?.counted, null, 'and does not know yet that it counts')
  wipe(script, w)
  takeIn(script, w, b)
  remount(w, named)
  w.start()
  script.until(() => script.world.failures.has(w.id), 'it ends')
  t.match(script.world.failures.get(w.id), { code: 'stranger', message: /another disk/ })
})

t.test('H28 a former disk that is named again counts for nothing before that is committed without it', async (t) => {
  const { script, a, b, c: w } = scene()
  const former = w.disk
  wipe(script, w)
  takeIn(script, w, a)
  const grant = script.hold(a, { ttlMs: 600_000 })
  script.until(() => script.isSettled, 'all know')
  script.isolate(b)
  remount(w, former)
  t.equal(askToTakeIn(script, w, a), 'unknown', 'a alone is no majority without W')
  w.start()
  script.pass(8000)
  t.notOk(leads(a) || leads(w), 'nor with the disk that it names')
  script.world.failures.delete(w.id)
  script.heal()
  script.until(() => leads(a) || leads(b), 'two of three can talk')
  script.pass(1000)
  takeIn(script, w, leads(a) ? a : b)
  t.equal(script.holder(), grant.token)
})

t.test('H24 a former disk that is named again serves, under runs above those of the disk between', async (t) => {
  const { script, a, b: w } = scene()
  const former = w.disk
  wipe(script, w)
  takeIn(script, w, a)
  work(script, w, 3)
  remount(w, former)
  t.equal(askToTakeIn(script, w, a), 'done')
  w.start()
  script.until(() => doesCount(w) && script.isSettled, 'it counts')
  work(script, w, 3)
  w.crash(false)
  w.start()
  script.until(() => script.isSettled, 'it is back')
  work(script, w, 3)
  t.ok(script.replicaOf(w).readiness().ready)
})

t.test('a snapshot from before a former disk was named again does not end it', async (t) => {
  const { script, a, b: w } = scene({ keeping: eager })
  const former = w.disk
  wipe(script, w)
  takeIn(script, w, a)
  work(script, a)
  // Until the last checkpoint is so young that the next is some entries away.
  const isYoung = (): boolean => (a.disk.durable().state.checkpoint?.index ?? 0) >= script.replicaOf(a).appliedIndex - 1
  for (let tries = 0; tries < 20 && !isYoung(); tries++) {
    work(script, a, 1)
    script.pass(300)
  }
  t.ok(isYoung())
  remount(w, former)
  t.equal(askToTakeIn(script, w, a), 'done')
  w.start()
  script.until(() => doesCount(w) && script.isSettled, 'it counts')
  t.ok(said(script, new RegExp(`${w.id} taking a snapshot`)) > 0)
  t.ok(script.replicaOf(w).readiness().ready)
})

t.test('H24 a process that is named again while it runs goes on under a run of the entry that names it', async (t) => {
  const { script, a, b: w, c } = scene()
  const former = w.disk
  wipe(script, w)
  takeIn(script, w, a)
  remount(w, former)
  // It hears of neither entry before both are there, but that it may serve: its log is from before.
  script.world.network.cut(a.id, w.id)
  script.world.network.cut(c.id, w.id)
  w.start()
  script.pass(300)
  const told = script.acquire(w, { requestId: script.requestId() })
  t.equal(askToTakeIn(script, w, a), 'done')
  script.heal()
  script.until(() => told.reply !== null, 'its client is told')
  script.until(() => doesCount(w) && script.isSettled, 'it counts')
  work(script, w, 3)
  t.ok(script.replicaOf(w).readiness().ready)
})

t.test('a word that was given twice does what one does, and one for nobody is refused', async (t) => {
  const { script, a, b: w, c } = scene()
  wipe(script, w)
  takeIn(script, w, c)
  t.equal(askToTakeIn(script, w, a), 'done')
  t.equal(said(script, new RegExp(`${a.id} ${w.id} has another disk`)), 1)
})
