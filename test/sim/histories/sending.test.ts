// Histories of commands on their way to the leader: what a refusal says and does not say, what an overload does to those who
// only want to end their work, and what a node that has just come back may send.
import t from 'tap'
import { decodeCommand } from '../../../src/codec/command.ts'
import { asLockName } from '../../../src/ids.ts'
import { answerOf, grantOf, Script, someLock } from '../script.ts'
import type { Told } from '../script.ts'

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

t.test('H18 what an overloaded leader refuses, though it may be in a log, goes again after a pause', async (t) => {
  const script = new Script().found()
  const { follower: b, leader: a } = script
  script.world.network.cut(b.id, a.id)
  const told = script.acquire(b, { requestId: script.requestId() })
  script.until(() => script.replicaOf(b).unanswered === 1, 'its first sending is under way')
  const leader = script.replicaOf(a)
  const receive = leader.receive.bind(leader)
  let sendings = 0
  leader.receive = (from, frame) => {
    if (frame.kind !== 'forward') return receive(from, frame)
    sendings++
    const numbers = frame.commands.map((bytes) => decodeCommand(bytes).origin.number)
    const refused = { kind: 'forwardRefused', sending: frame.sending, reason: 'overloaded', numbers } as const
    script.replicaOf(b).receive(a.id, refused)
  }
  script.world.network.reset(a.id, b.id)
  script.heal()
  script.pass(1000)
  t.ok(sendings > 10 && sendings <= 21, `${sendings} sendings in a second`)
  leader.receive = receive
  script.until(() => told.reply !== null, 'it is answered')
  t.equal(answerOf(told), 'granted')
})

t.test('a release is not refused because ten thousand acquires wait for a leader', async (t) => {
  const script = new Script().found()
  const { follower: b } = script
  const { token } = script.hold(b, { ttlMs: 600_000 })
  script.isolate(b)
  script.until(() => script.replicaOf(b).leader === null, 'it has no leader')
  const acquires = Array.from({ length: 10_000 }, () => script.acquire(b, { requestId: script.requestId(), waitMs: 0 }))
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

t.test('what a node is asked that has just come back is done as soon as it has caught up', async (t) => {
  const script = new Script().found()
  const { follower: b } = script
  script.openSession(script.leader, 3_000_000)
  script.pass(60_000)
  b.crash(false)
  script.pass(30_000)
  b.start()
  const from = script.now
  const told: Told[] = []
  while (script.now < from + 1000) {
    if (b.node?.replica !== null) {
      const lock = asLockName(`lock ${told.length}`)
      told.push(script.acquire(b, { requestId: script.requestId(), lock, waitMs: 0 }))
    }
    script.pass(5)
  }
  script.until(() => told.every(({ reply }) => reply !== null), 'all are answered')
  const refused = told.filter((one) => answerOf(one) !== 'granted')
  t.equal(refused.length, 0, `${refused.length} of ${told.length}: ${refused.slice(0, 5).map(answerOf).join()}`)
})

t.test('H15 what lay in a stopped process and had not left does not leave as if it were new', async (t) => {
  const script = new Script().found()
  const { follower: b } = script
  script.openSession(script.leader, 3_000_000)
  script.isolate(b)
  script.until(() => script.replicaOf(b).leader === null, 'it has no leader')
  const told = script.acquire(b, { requestId: script.requestId() })
  script.until(() => script.replicaOf(b).calls.open === 1, 'it has taken it in')
  b.process?.pauseUntil(script.now + 120_000)
  script.pass(60_000)
  script.heal()
  script.until(() => told.reply !== null, 'it is answered', 90_000)
  t.equal(answerOf(told), 'noLeader')
  t.equal(script.committed('acquire').length, 0)
})
