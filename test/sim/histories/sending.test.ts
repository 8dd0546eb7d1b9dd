// Histories of commands on their way to the leader: what a refusal says and does not say, what an overload does to those who
// only want to end their work, and what a node that has just come back may send.
import t from 'tap'
import { asLockName } from '../../../src/ids.ts'
import { answerOf, grantOf, Script, someLock } from '../script.ts'

t.test('the refusal of a sending of an earlier run says nothing of this one', async (t) => {
  const script = new Script().found()
  const { follower: b, leader: a } = script
  script.world.network.cut(b.id, a.id)
  const told = script.acquire(b, { requestId: script.requestId() })
  script.pass(50)
  const numbers = [1, 2, 3, 4, 5]
  for (const sending of [1, 2, 3, 4, 5]) {
    script.replicaOf(b).receive(a.id, { kind: 'forwardRefused', sending, reason: 'overloaded', numbers })
  }
  script.pass(50)
  t.equal(answerOf(told), 'waiting', 'what lies in its kernel is not refused')
  script.heal()
  script.until(() => told.reply !== null, 'it is answered')
  grantOf(told)
})

t.test('a release is not refused because ten thousand acquires wait for a leader', async (t) => {
  const script = new Script().found()
  const { follower: b } = script
  const { token } = script.hold(b, { ttlMs: 600_000 })
  script.isolate(b)
  script.until(() => script.replicaOf(b).leader === null, 'it has no leader')
  const acquires = Array.from({ length: 10_000 }, (_, number) =>
    script.acquire(b, { requestId: script.requestId(), lock: asLockName(`lock ${number + 1}`), waitMs: 0 }),
  )
  script.pass(200)
  const last = script.acquire(b, { requestId: script.requestId(), waitMs: 0 })
  const release = script.send(b, { kind: 'release', lock: someLock, token, session: null })
  script.pass(50)
  t.equal(answerOf(last), 'overloaded')
  t.equal(acquires.filter(({ reply }) => reply === null).length, 10_000)
  script.heal()
  script.until(() => release.reply !== null, 'it is answered')
  t.equal(answerOf(release), 'released')
})
