// Histories of time and expiry (H1-H9), each a way in which a weaker design takes a lock from a living holder or leaves it
// with a dead one.
import t from 'tap'
import { assert } from '../../../src/assert.ts'
import { asLockName } from '../../../src/ids.ts'
import { answerOf, grantOf, Script } from '../script.ts'
import type { Told } from '../script.ts'

/** What a renewal that was answered said of its session. */
function renewed({ reply }: Told): { ttlMs: number; validForMs: number } {
  assert(reply?.kind === 'outcome' && reply.result.kind === 'sessionsRenewed', 'the renewal is answered')
  const [renewal] = reply.result.renewals
  assert(renewal !== undefined && !('refusal' in renewal), 'the session was renewed')
  return renewal
}

/** When the session ended, in virtual time; Infinity while it lives. */
function endOf(script: Script, session: Parameters<Script['renew']>[1]): number {
  return script.world.lockChecks.lives.sessions.get(session)?.ended?.at ?? Infinity
}

t.test('H1 a renewal is not answered by another node’s renewal of the same session', async (t) => {
  const script = new Script().found()
  const { leader } = script
  const [b, c] = script.followers
  assert(b !== undefined && c !== undefined, 'two followers')
  const { session } = script.openSession(leader, 10_000)
  script.pass(400)
  // What b sends lies in its kernel, but b hears everything.
  script.world.network.cut(b.id, leader.id)
  const throughB = script.renew(b, session, 12_000)
  const throughC = script.renew(c, session, 11_000)
  script.pass(200)
  t.equal(renewed(throughC).ttlMs, 11_000)
  t.equal(script.replicaOf(b).appliedIndex, script.replicaOf(c).appliedIndex, 'b has applied it, too')
  t.equal(answerOf(throughB), 'waiting')
  leader.crash(false)
  script.heal()
  script.until(() => throughB.reply !== null, 'b sends its own again')
  t.equal(renewed(throughB).ttlMs, 12_000, 'and is answered by its outcome')
})

t.test('H2 a command that was read after a stall is not stamped with a time from before it', async (t) => {
  const script = new Script().found()
  const { leader, follower } = script
  const { session } = script.openSession(leader, 2000)
  script.pass(300)
  const { process } = leader
  assert(process !== null, 'it runs')
  // While its disk is busy a leader gathers commands, for 5 ms at most: then the next turn appends all that has come.
  leader.disk.stall()
  script.acquire(leader, { requestId: script.requestId(), lock: asLockName('written') })
  script.pass(20)
  const gatheredAt = script.now
  script.acquire(leader, { requestId: script.requestId(), lock: asLockName('gathered') })
  // The timer of that turn fires, then the loop stalls before it reads its sockets.
  const setTimer = process.setTimer.bind(process)
  let stalls = 1
  process.setTimer = (delayMs, fire) =>
    setTimer(delayMs, () => {
      fire()
      if (script.now >= gatheredAt + 5 && stalls-- > 0) process.pauseUntil(script.now + 190)
    })
  script.until(() => process.isPaused, 'the loop stalls')
  script.pass(160)
  const renewal = script.renew(follower, session)
  const acquire = script.acquire(follower, { requestId: script.requestId(), ttlMs: 2000 })
  script.until(() => renewal.reply !== null && acquire.reply !== null, 'both are answered')
  const sessionUntil = renewal.sentAt + renewed(renewal).validForMs
  const { token, validForMs } = grantOf(acquire)
  const grantUntil = acquire.sentAt + validForMs
  leader.disk.resume()
  script.pass(4000)
  const endOfGrant = script.world.lockChecks.lives.grants.get(token)?.ended?.at ?? Infinity
  t.ok(endOfGrant >= grantUntil, `the grant ended at ${endOfGrant}, promised until ${grantUntil}`)
  t.ok(endOf(script, session) >= sessionUntil, `the session at ${endOf(script, session)}, until ${sessionUntil}`)
  t.ok(endOf(script, session) < sessionUntil + 1500, 'and it does end')
})

t.test('H4 nothing but entries moves cluster time: a new leader starts at the last entry', async (t) => {
  const script = new Script().found()
  const last = script.clusterTime
  // No record has a deadline, so nothing is written, but heartbeats go on.
  script.pass(5000)
  t.same(
    script.world.machines.map((machine) => script.replicaOf(machine).clusterTime),
    [last, last, last],
  )
  const old = script.leader
  old.crash(false)
  script.until(() => script.world.leader !== null && script.world.leader !== old, 'another leads')
  script.until(() => script.isSettled, 'it has committed')
  const { currentTerm, log } = script.replicaOf(script.leader).core.raft
  t.equal(log.window.find(({ term }) => term === currentTerm)?.time, last, 'not 5 s later')
})

t.test('H5 nobody expires because all nodes were frozen for 20 s', async (t) => {
  const script = new Script().found()
  const { session } = script.openSession(script.leader, 5000)
  const before = script.clusterTime
  const renewals: Told[] = []
  for (const { process } of script.world.machines) process?.pauseUntil(script.now + 20_000)
  for (const machine of script.world.machines) {
    script.pass(6000)
    renewals.push(script.renew(machine, session))
  }
  script.until(() => renewals.every(({ reply }) => reply !== null), 'what lay in the sockets is answered')
  for (const told of renewals) t.equal(renewed(told).ttlMs, 5000)
  t.ok(script.clusterTime - before < 3000, `cluster time moved by ${script.clusterTime - before} ms`)
})

t.test('H5 nobody expires because all disks stalled for 20 s', async (t) => {
  const script = new Script().found()
  const { session } = script.openSession(script.leader, 5000)
  const before = script.clusterTime
  const renewals: Told[] = []
  for (const { disk } of script.world.machines) disk.stall()
  for (let count = 0; count < 10; count++) {
    renewals.push(script.renew(script.follower, session))
    script.pass(2000)
  }
  for (const { disk } of script.world.machines) disk.resume()
  script.pass(3000)
  t.equal(endOf(script, session), Infinity)
  t.equal(answerOf(script.renew(script.leader, session)), 'waiting')
  t.ok(script.clusterTime - before < 8000, `cluster time moved by ${script.clusterTime - before} ms`)
})

t.test('H7 a leader that dies in silence does not give a dead session its whole TTL again', async (t) => {
  const script = new Script().found()
  const { session } = script.openSession(script.leader, 10_000)
  const openedAt = script.now
  script.pass(9000)
  script.leader.crash(false)
  script.until(() => endOf(script, session) < Infinity, 'the session ends')
  const late = endOf(script, session) - openedAt - 10_000
  // L1: one election and 1 s. The longest election timeout is a second.
  t.ok(late < 2000, `it ended ${late} ms after its TTL`)
})

t.test('L1 the lock of a crashed holder passes on in time, also when the leader dies with it', async (t) => {
  const script = new Script().found()
  const { session } = script.openSession(script.leader, 3000)
  const renewedAt = script.now
  script.hold(script.follower, { session, waitMs: 0 })
  const waiter = script.acquire(script.follower, { requestId: script.requestId(), ttlMs: 5000 })
  script.pass(1000)
  script.leader.crash(true)
  script.until(() => waiter.reply !== null, 'the waiter is answered')
  t.equal(answerOf(waiter), 'granted')
  const late = waiter.repliedAt - renewedAt - 3000
  t.ok(late >= 0 && late < 2000, `${late} ms after the TTL`)
})

t.test('H9 time runs at full speed in an idle store', async (t) => {
  const script = new Script().found()
  script.openSession(script.leader, 60_000)
  const [time, now] = [script.clusterTime, script.now]
  script.pass(20_000)
  const share = (script.clusterTime - time) / (script.now - now)
  t.ok(share > 0.97 && share < 1.002, `at ${share} of real time`)
})

t.test('a leader change neither expires a live session nor counts the time without a leader', async (t) => {
  const script = new Script({ members: 5 }).found()
  const { session } = script.openSession(script.leader, 4000)
  for (let count = 0; count < 3; count++) {
    const node = script.follower
    const told = script.renew(node, session)
    script.until(() => told.reply !== null, 'renewed')
    const until = told.sentAt + renewed(told).validForMs
    script.leader.crash(true)
    script.until(() => script.world.leader !== null && script.isSettled, 'another leads')
    t.ok(endOf(script, session) >= until)
    for (const machine of script.world.machines) machine.start()
    script.until(() => script.isSettled, 'all follow')
  }
  t.equal(endOf(script, session), Infinity)
})
