// Histories of requests, retries and cancels (H10-H21), told end to end: clients, three nodes, a network that holds frames
// back. X is always the client whose request it is.
import t from 'tap'
import { asLockName } from '../../../src/ids.ts'
import type { Token } from '../../../src/ids.ts'
import { answerOf, grantOf, someLock } from '../script.ts'
import { scene } from './scene.ts'
import type { Scene } from './scene.ts'

/** A grant of somebody else, in whose way X is. */
function occupied({ script, a }: Scene): Token {
  return script.hold(a, { ttlMs: 600_000 }).token
}

const lock = someLock

t.test('H10 a late withdrawal does not touch what a retry waits for', async (t) => {
  const s = scene()
  const { script, a, b, c } = s
  const token = occupied(s)
  const requestId = script.requestId()
  const first = script.acquire(b, { requestId })
  script.pass(50)
  // b learns that its client is gone, but its withdrawal stays in its kernel.
  script.world.network.cut(b.id, a.id)
  first.hangUp()
  script.pass(50)
  const retry = script.acquire(c, { requestId })
  script.pass(50)
  script.heal()
  script.until(() => script.committed('withdraw').length >= 1, 'the withdrawal is applied')
  script.pass(5000)
  t.equal(answerOf(retry), 'waiting')
  script.release(a, { lock, token })
  script.until(() => retry.reply !== null, 'it is its turn')
  t.equal(answerOf(retry), 'granted')
})

t.test('H10 a late withdrawal does not touch what a retry obtained', async (t) => {
  const s = scene()
  const { script, a, b, c } = s
  const token = occupied(s)
  const requestId = script.requestId()
  const first = script.acquire(b, { requestId })
  script.pass(50)
  script.world.network.cut(b.id, a.id)
  first.hangUp()
  const retry = script.acquire(c, { requestId })
  script.pass(50)
  script.release(a, { lock, token })
  script.until(() => retry.reply !== null, 'it is its turn')
  const granted = grantOf(retry)
  script.heal()
  script.until(() => script.committed('withdraw').length >= 1, 'the withdrawal is applied')
  script.pass(10_000)
  t.equal(script.holder(), granted.token)
})

t.test('H11 a straggler whose client is gone takes nothing from the retry that overtook it', async (t) => {
  const { script, a, b, c } = scene()
  const requestId = script.requestId()
  script.world.network.cut(b.id, a.id)
  const straggler = script.acquire(b, { requestId })
  script.pass(50)
  straggler.hangUp()
  const granted = script.hold(c, { requestId })
  script.heal()
  script.until(() => script.committed('withdraw').length >= 1, 'the straggler was applied and is withdrawn')
  script.pass(10_000)
  t.equal(script.holder(), granted.token)
})

t.test('H12 an attempt that was taken out of its request is not answered with the grant', async (t) => {
  const s = scene()
  const { script, a, b, c } = s
  const token = occupied(s)
  const { session } = script.openSession(c, 100_000)
  const requestId = script.requestId()
  const waiting = script.acquire(b, { requestId, session, pollMs: 60_000 })
  const alone = script.acquire(b, { requestId: script.requestId() })
  script.pass(50)
  script.isolate(b, [a])
  script.until(() => script.committed('nodeLost').length === 1, 'b is lost to the leader')
  // Only now it is the turn of the first; nobody attends it.
  script.release(a, { lock, token })
  script.pass(200)
  t.not(script.holder(), null, 'it was granted')
  t.same([answerOf(waiting), answerOf(alone)], ['waiting', 'waiting'])
  script.heal()
  script.until(() => waiting.reply !== null && alone.reply !== null, 'b has caught up')
  t.equal(answerOf(waiting), 'stillWaiting', '202: the place stays')
  t.equal(answerOf(alone), 'detached', 'outcome_unknown: what becomes of the request is not for this attempt')
  const repeat = script.hold(c, { requestId, session })
  t.equal(repeat.token, script.holder(), 'a repeat within 30 s fetches it')
})

t.test('H12 a lost node is announced after 10 s, and once for one absence', async (t) => {
  const { script, a, b } = scene()
  script.isolate(b)
  const since = script.now
  script.until(() => script.committed('nodeLost').length === 1, 'b is lost')
  const after = script.now - since
  t.ok(after > 9900 && after < 11_000, `after ${after} ms`)
  script.pass(30_000)
  t.equal(script.committed('nodeLost').length, 1)
  script.heal()
  script.until(() => script.isSettled && b.node?.peers.isConnected(a.id) === true, 'b is back')
  script.pass(200)
  script.isolate(b, [a])
  script.pass(12_000)
  t.equal(script.committed('nodeLost').length, 2, 'and again for the next')
})

t.test('H13 an attempt that was answered as unknown does not keep the grant it gets later', async (t) => {
  const s = scene()
  const { script, a, b, c } = s
  const token = occupied(s)
  const { session } = script.openSession(c, 200_000)
  const told = script.acquire(b, { requestId: script.requestId(), session, waitMs: 3000, pollMs: 1000 })
  script.pass(50)
  script.isolate(b, [a])
  script.release(a, { lock, token })
  script.until(() => told.reply !== null, 'b gives up')
  t.equal(answerOf(told), 'unknown')
  t.not(script.holder(), null, 'meanwhile it was granted')
  script.heal()
  script.until(() => script.committed('withdraw').length >= 1, 'b sees it and withdraws')
  const since = script.now
  script.until(() => script.holder() === null, 'it is given back', 40_000)
  t.ok(script.now - since > 29_000, 'after 30 s in which a repeat could have fetched it')
})

t.test('H14 a grant whose client hung up in that moment is given back, though its session lives on', async (t) => {
  const s = scene()
  const { script, a, b, c } = s
  const token = occupied(s)
  const { session } = script.openSession(c, 200_000)
  const told = script.acquire(b, { requestId: script.requestId(), session })
  script.pass(50)
  script.send(a, { kind: 'release', lock, token, session: null })
  told.hangUp()
  script.until(() => script.committed('withdraw').length >= 1, 'the attempt is withdrawn')
  t.not(script.holder(), null)
  script.until(() => script.holder() === null, 'it is given back', 40_000)
  t.equal(script.world.lockChecks.lives.sessions.get(session)?.ended, null)
})

t.test('H14 without a session an abandoned wait is forgotten after 2 s, and a grant given back', async (t) => {
  const s = scene()
  const { script, a, b } = s
  const token = occupied(s)
  const told = script.acquire(b, { requestId: script.requestId() })
  script.pass(50)
  told.hangUp()
  script.pass(3000)
  t.equal(script.world.lockChecks.state.waiting, 0)
  script.release(a, { lock, token })
  script.pass(100)
  t.equal(script.holder(), null)
})

t.test('H15 a copy that was under way until its request was forgotten is not granted to nobody', async (t) => {
  const { script, a, b, c } = scene()
  // Somebody's session keeps cluster time moving.
  script.openSession(c, 3_600_000)
  const requestId = script.requestId()
  // What b sends comes 75 s late. In a cut it would not come at all: a link that is silent is given up.
  script.world.network.slow(b.id, a.id, 75_000)
  script.pass(80_000)
  const copy = script.acquire(b, { requestId })
  script.pass(100)
  copy.hangUp()
  const granted = script.hold(c, { requestId })
  script.release(c, granted)
  script.pass(70_000)
  t.equal(script.committed('acquire').length, 1)
  script.until(() => script.committed('acquire').length === 2, 'the copy has arrived')
  script.pass(2000)
  t.equal(script.holder(), null)
  t.equal(script.world.lockChecks.lives.grants.size, 1, 'one grant, ever')
})

t.test('H15 what a node that lags far behind took in is not done', async (t) => {
  const { script, a, b, c } = scene()
  script.openSession(c, 3_600_000)
  // b hears everything, 25 s late; what it sends arrives at once.
  script.world.network.slow(a.id, b.id, 25_000)
  script.pass(40_000)
  const told = script.acquire(b, { requestId: script.requestId(), waitMs: 0 })
  script.until(() => told.reply !== null, 'an answer', 60_000)
  t.match(answerOf(told), /unknown|noLeader/)
  script.pass(10_000)
  t.equal(script.world.lockChecks.lives.grants.size, 0)
})

t.test('H16 what a restarted node announces is never too old', async (t) => {
  const s = scene()
  const { script, a, b, c } = s
  occupied(s)
  const { session } = script.openSession(c, 3_600_000)
  script.pass(60_000)
  script.acquire(b, { requestId: script.requestId(), session })
  script.pass(50)
  const attended = () =>
    [...script.world.lockChecks.state.sessions.values()].some(({ requests }) =>
      [...requests.values()].some(({ attempts }) => attempts.length > 0),
    )
  t.ok(attended())
  b.crash(false)
  b.start()
  script.until(() => script.isSettled, 'b is back')
  t.notOk(attended(), 'the attempts of its earlier run have left')
  t.equal(script.leader, a)
})

t.test('H17 a wait is over when the log says so, not when a timer does', async (t) => {
  const s = scene()
  const { script, a, b, c } = s
  const token = occupied(s)
  const { session } = script.openSession(c, 100_000)
  const refusedLater = script.acquire(b, { requestId: script.requestId(), waitMs: 1000 })
  const stillLater = script.acquire(b, { requestId: script.requestId(), session, waitMs: 60_000, pollMs: 1000 })
  script.pass(900)
  script.isolate(b, [a])
  // Both are over now, or granted: b cannot know.
  script.release(a, { lock, token })
  script.pass(3000)
  t.same([answerOf(refusedLater), answerOf(stillLater)], ['waiting', 'waiting'])
  script.heal()
  script.until(() => refusedLater.reply !== null && stillLater.reply !== null, 'b has caught up')
  t.equal(answerOf(refusedLater), 'granted', 'the release came in time')
  t.equal(answerOf(stillLater), 'stillWaiting')
})

t.test('H18 a command whose second sending was refused may have been done by its first', async (t) => {
  const { script, a, b } = scene()
  // The first sending is appended by the leader, which cannot commit it and hands over; the second is refused.
  script.isolate(
    a,
    [...script.followers].filter((machine) => machine !== b),
  )
  script.world.network.cut(a.id, b.id)
  const told = script.acquire(b, { requestId: script.requestId(), waitMs: 0 })
  script.pass(20)
  script.world.network.reset(a.id, b.id)
  script.heal()
  script.until(() => told.reply !== null, 'an answer')
  t.equal(answerOf(told), 'granted')
  t.equal(script.world.lockChecks.lives.grants.size, 1)
})

t.test('H20 what a reset lost on the way to the same leader goes again before anything new', async (t) => {
  const { script, a, b } = scene()
  const locks = [1, 2, 3, 4].map((number) => asLockName(`lock ${number}`))
  const told = locks.slice(0, 3).map((name) => script.acquire(b, { requestId: script.requestId(), lock: name }))
  // They have left b, and have not arrived.
  script.until(() => script.replicaOf(b).calls.open === 3, 'b has taken them in')
  script.world.network.reset(a.id, b.id)
  script.pass(3)
  told.push(script.acquire(b, { requestId: script.requestId(), lock: asLockName('lock 4') }))
  script.until(() => told.every(({ reply }) => reply !== null), 'all are answered')
  for (const one of told) grantOf(one)
  t.equal(script.leader, a)
  const numbers = script.committed('acquire').map(({ origin }) => origin.number)
  t.equal(numbers.length, 4, 'each under its first number: none was passed over')
  t.same(
    numbers,
    [...numbers].sort((x, y) => x - y),
  )
})

t.test('H21 renewals do not overtake acquires of the same node', async (t) => {
  const { script, b } = scene()
  const { session } = script.openSession(b, 10_000)
  for (let count = 0; count < 20; count++) {
    const renewal = script.renew(b, session)
    const told = script.acquire(b, { requestId: script.requestId(), lock: asLockName(`lock ${count}`) })
    const again = script.renew(b, session)
    script.until(() => [renewal, told, again].every(({ reply }) => reply !== null), 'all are answered')
    grantOf(told)
  }
  t.equal(script.committed('acquire').length, 20, 'each was applied under its first number')
})

t.test('a herd of waiters is woken one by one', async (t) => {
  const s = scene()
  const { script, a } = s
  let token: Token = occupied(s)
  const nodes = script.world.machines
  const herd = Array.from({ length: 60 }, (_, number) =>
    script.acquire(nodes[number % 3] ?? a, { requestId: script.requestId() }),
  )
  script.until(() => script.world.lockChecks.state.waiting === 60, 'all wait')
  for (let served = 1; served <= 10; served++) {
    const before = script.entries.length
    script.release(a, { lock, token })
    script.pass(20)
    const answered = herd.filter(({ reply }) => reply !== null)
    t.equal(answered.length, served, 'one more')
    t.ok(script.entries.length - before <= 2, 'by the entry that released it')
    token = script.holder() ?? token
  }
  const sequences = herd.filter(({ reply }) => reply !== null).map((told) => grantOf(told).sequence)
  t.equal(new Set(sequences).size, 10)
})
