// Histories of nodes that the leader loses sight of (H12): whose attempts leave the sets of what still waits, and whose
// must not.
import t from 'tap'
import { asLockName } from '../../../src/ids.ts'
import { answerOf, someLock } from '../script.ts'
import { scene } from './scene.ts'

t.test('B104 what a former leader says of a lost node takes no attempts once the node is back', async (t) => {
  const { script, a, b, c } = scene()
  script.hold(c, { ttlMs: 600_000 })
  const early = script.acquire(b, { requestId: script.requestId(), waitMs: 200_000 })
  script.pass(50)
  script.isolate(b)
  script.pass(9_400)
  // What a appends from now on reaches nobody, and it leads for a second more: long enough to say that b is lost.
  script.world.network.cut(a.id, c.id)
  script.until(() => script.replicaOf(a).unanswered === 1, 'a says that b is lost')
  script.isolate(a)
  script.world.network.heal(b.id, c.id)
  script.world.network.heal(c.id, b.id)
  script.until(() => script.world.leader !== null && script.world.leader !== a, 'b or c leads')
  script.pass(60_000)
  const late = script.acquire(b, { requestId: script.requestId(), waitMs: 200_000 })
  script.pass(1000)
  script.heal()
  script.pass(6_000)
  script.hold(a, { lock: asLockName('another') })
  t.equal(script.replicaOf(a).unanswered, 0, 'what it said has been passed over')
  t.same([answerOf(early), answerOf(late)], ['waiting', 'waiting'], 'b was there all the time')
  t.equal(script.world.lockChecks.state.waiting, 2, 'the places in the queue are kept')
})

t.test('B104 a leader that was paused before it could say that a node is lost takes no later attempts', async (t) => {
  const { script, a, b, c } = scene()
  script.hold(c, { ttlMs: 600_000 })
  script.isolate(b, [a])
  script.until(() => script.replicaOf(a).unanswered === 1, 'a says that b is lost')
  a.process?.pauseUntil(script.now + 60_000)
  script.heal()
  script.until(() => script.world.leader !== null && script.world.leader !== a, 'b or c leads')
  const waiting = script.acquire(b, { requestId: script.requestId(), waitMs: 200_000 })
  script.pass(65_000)
  const said = script
    .committed('nodeLost')
    .filter(({ command }) => command.kind === 'nodeLost' && command.node === b.id)
  t.equal(said.length, 0, 'a leads no more before it has said anything')
  t.equal(answerOf(waiting), 'waiting', 'b is there')
  t.equal(script.world.lockChecks.state.waiting, 1, 'the place in the queue is kept')
})

t.test('H12 attempts that a lost node adds afterwards leave, too', async (t) => {
  const { script, a, b, c } = scene()
  const { token } = script.hold(c, { ttlMs: 600_000 })
  const { session } = script.openSession(c, 80_000_000)
  // What b sends comes 15 s late, its answers to heartbeats, too: a counts from when they were asked.
  script.world.network.slow(b.id, a.id, 15_000)
  script.until(() => script.committed('nodeLost').length === 1, 'b is lost')
  const told = script.acquire(b, { requestId: script.requestId(), session, waitMs: 80_000_000, pollMs: 200_000 })
  script.pass(100)
  told.hangUp()
  script.until(() => script.committed('acquire').length === 2, 'the attempt is taken in')
  t.equal(script.world.lockChecks.state.waiting, 1)
  t.equal(script.committed('withdraw').length, 0, 'b cannot have withdrawn it yet')
  script.until(() => script.committed('nodeLost').length === 2, 'b is lost still')
  script.release(a, { lock: someLock, token })
  script.pass(100)
  t.not(script.holder(), null, 'granted, though nobody attends it')
  script.until(() => script.holder() === null, 'it is given back', 40_000)
})
