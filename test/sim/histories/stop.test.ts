// What becomes of those who wait when a node stops in order, and of acquires at a node that cannot serve yet.
import t from 'tap'
import { assert } from '../../../src/assert.ts'
import { answerOf, Script, someLock } from '../script.ts'

t.test('an orderly stop answers waits with a session 202 and the rest as unknown', async (t) => {
  const script = new Script().found()
  const node = script.follower
  const { token } = script.hold(script.leader, { ttlMs: 600_000 })
  const { session } = script.openSession(script.leader, 100_000)
  const withSession = script.acquire(node, { requestId: script.requestId(), session })
  const without = script.acquire(node, { requestId: script.requestId() })
  script.pass(100)
  node.stop()
  script.until(() => !node.isUp, 'it ends', 3000)
  script.pass(100)
  t.equal(answerOf(withSession), 'stillWaiting')
  t.equal(answerOf(without), 'unknown')
  t.equal(script.holder(), token)
})

t.test('H13 who was told 202 by a stopping node is not granted the lock behind his back', async (t) => {
  const script = new Script().found()
  const node = script.follower
  const { token } = script.hold(script.leader, { ttlMs: 600_000 })
  const { session } = script.openSession(script.leader, 600_000)
  const told = script.acquire(node, { requestId: script.requestId(), session })
  script.pass(100)
  node.stop()
  script.until(() => told.reply !== null, 'it is answered')
  t.equal(answerOf(told), 'stillWaiting')
  script.until(() => !node.isUp, 'it ends', 3000)
  // It does not come back, and nobody repeats the request.
  script.release(script.leader, { lock: someLock, token })
  script.pass(200)
  t.not(script.holder(), null, 'the place was kept, so it is its turn')
  script.until(() => script.holder() === null, 'unclaimed for 30 s', 35_000)
  t.equal(script.world.lockChecks.lives.sessions.get(session)?.ended, null)
})

t.test('a leader that stops hands over first, and nobody is without a leader for long', async (t) => {
  const script = new Script().found()
  const old = script.leader
  old.stop()
  const since = script.now
  script.until(
    () => script.world.machines.some((machine) => machine !== old && machine.node?.replica?.leader === machine.id),
    'another leads',
  )
  t.ok(script.now - since < 200, `after ${script.now - since} ms`)
  script.until(() => !old.isUp, 'it ends', 3000)
  t.ok(script.hold(script.leader))
})

t.test('a stop under load, with a slow disk and nobody to hand over to, ends all the same', async (t) => {
  const script = new Script({ writeMs: [5, 40] }).found()
  const node = script.leader
  for (const other of script.followers) other.crash(true)
  const told = Array.from({ length: 20 }, () => script.acquire(node, { requestId: script.requestId() }))
  script.pass(30)
  node.stop()
  const since = script.now
  script.until(() => !node.isUp, 'it ends')
  t.ok(script.now - since < 4000, `after ${script.now - since} ms`)
  script.pass(100)
  t.equal(told.filter(({ reply }) => reply === null).length, 0, 'everybody was answered')
  for (const machine of script.world.machines) machine.start()
  script.until(() => script.world.leader !== null && script.isSettled, 'all are back')
})

t.test('new calls at a stopping node find no leader', async (t) => {
  const script = new Script().found()
  const node = script.leader
  // Nobody takes over, so that the stop takes its time.
  for (const other of script.followers) other.process?.pauseUntil(script.now + 5000)
  node.stop()
  script.pass(10)
  const told = script.acquire(node, { requestId: script.requestId() })
  script.until(() => told.reply !== null, 'an answer', 1000)
  t.equal(answerOf(told), 'noLeader')
})

t.test('a node that is catching up keeps acquires back until it is ready', async (t) => {
  const script = new Script({ appendBytesMax: 300 }).found()
  const node = script.follower
  script.isolate(node)
  for (let count = 0; count < 600; count++) script.release(script.leader, script.hold(script.leader))
  script.heal()
  const readiness = () => node.node?.replica?.readiness()
  script.until(() => readiness()?.ready === false && node.node?.replica?.leader !== null, 'it knows a leader and lags')
  t.match(readiness(), { ready: false, reason: 'catching up' })
  const told = script.acquire(node, { requestId: script.requestId(), waitMs: 0 })
  const release = script.send(node, { kind: 'closeSession', session: script.openSession(script.leader, 5000).session })
  let wasReady = false
  const isAsked = () => script.committed('acquire').some(({ origin }) => origin.node === node.id)
  script.until(() => {
    wasReady ||= readiness()?.ready === true
    assert(wasReady || !isAsked(), 'an acquire left a node that is not ready')
    return told.reply !== null && release.reply !== null
  }, 'both are answered')
  t.equal(answerOf(told), 'granted')
  t.equal(answerOf(release), 'done')
})

t.test('a node that does not get ready within 3 s refuses acquires, as if there were no leader', async (t) => {
  const script = new Script().found()
  const node = script.follower
  // It hears of what is committed, but cannot apply what its own disk does not hold.
  node.disk.stall()
  for (let count = 0; count < 600; count++) script.release(script.leader, script.hold(script.leader))
  t.match(script.replicaOf(node).readiness(), { ready: false, reason: 'catching up' })
  const told = script.acquire(node, { requestId: script.requestId() })
  script.until(() => told.reply !== null, 'an answer')
  t.equal(answerOf(told), 'noLeader')
  t.ok(told.repliedAt - told.sentAt > 2990 && told.repliedAt - told.sentAt < 3200)
  t.equal(script.committed('acquire').filter(({ origin }) => origin.node === node.id).length, 0)
})
