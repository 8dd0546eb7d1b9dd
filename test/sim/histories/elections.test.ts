// Histories of leaders: who is deposed without a reason, who is not replaced in time (H33-H35), and what the whole cluster
// losing its power leaves (S3).
import t from 'tap'
import { assert } from '../../../src/assert.ts'
import { asLockName } from '../../../src/ids.ts'
import { answerOf, Script } from '../script.ts'

function termOf(script: Script): number {
  return script.replicaOf(script.leader).core.raft.currentTerm
}

t.test('H33 a killed leader is replaced in a fraction of the election timeout', async (t) => {
  for (let trial = 0; trial < 10; trial++) {
    const script = new Script({ members: trial % 2 === 0 ? 3 : 5 }, `trial ${trial}`).found()
    script.pass(100 + 17 * trial)
    const old = script.leader
    old.crash(false)
    const since = script.now
    script.until(() => script.world.leader !== null && script.world.leader !== old, 'another leads')
    t.ok(script.now - since < 300, `after ${script.now - since} ms`)
  }
})

t.test('H33 a neighbour that hears of the death a little later does not cost a whole timeout', async (t) => {
  for (let trial = 0; trial < 10; trial++) {
    const script = new Script({}, `trial ${trial}`).found()
    const old = script.leader
    const [, late] = script.followers
    assert(late !== undefined, 'two followers')
    script.world.network.slow(old.id, late.id, 70)
    script.pass(300)
    old.crash(false)
    const since = script.now
    script.until(() => script.world.leader !== null && script.world.leader !== old, 'another leads')
    t.ok(script.now - since < 450, `after ${script.now - since} ms`)
  }
})

t.test('H34 a middlebox that resets the links of a healthy leader does not depose it', async (t) => {
  const script = new Script().found()
  const { leader, world } = script
  const term = termOf(script)
  for (let count = 0; count < 20; count++) {
    script.pass(700)
    for (const other of script.followers) world.network.reset(leader.id, other.id)
  }
  script.pass(1000)
  t.equal(script.leader, leader)
  t.equal(termOf(script), term)
})

t.test('H34 nor does one that resets the links between the others, or half a frame on each', async (t) => {
  const script = new Script().found()
  const { leader, world, followers } = script
  const term = termOf(script)
  const [b, c] = followers
  assert(b !== undefined && c !== undefined, 'two followers')
  for (let count = 0; count < 10; count++) {
    script.pass(700)
    world.network.reset(b.id, c.id)
    for (const other of followers) world.network.breakOff(leader.id, other.id)
    for (const other of followers) world.network.breakOff(other.id, leader.id)
  }
  script.pass(1000)
  t.equal(script.leader, leader)
  t.equal(termOf(script), term)
})

t.test('H35 one slow disk under all: somebody leads, and work goes on when it recovers', async (t) => {
  const script = new Script().found()
  const { leader, world } = script
  const term = termOf(script)
  for (const { disk } of world.machines) disk.stall()
  const told = script.acquire(leader, { requestId: script.requestId() })
  script.pass(12_000)
  t.equal(script.world.leader, leader)
  t.equal(termOf(script), term, 'nobody campaigned')
  for (const { disk } of world.machines) disk.resume()
  script.pass(1000)
  t.equal(answerOf(told), 'granted')
})

t.test('heartbeats that came while the loop stalled count before it gives the leader up', async (t) => {
  const script = new Script().found()
  const { follower } = script
  script.pass(100)
  // Between two things that it reads: the turn that is due then has not read what comes meanwhile.
  follower.process?.arrive(() => {
    script.replicaOf(follower).read({ ready: () => {}, noLeader: () => {} })
    follower.process?.pauseUntil(script.now + 1500)
  })
  const since = script.now
  script.pass(1499)
  const roles = new Set<string>()
  // Turns are 20 microseconds apart here.
  while (script.now < since + 1502) {
    script.pass(0.01)
    const { raft } = script.replicaOf(follower).core
    roles.add(raft.role.kind === 'follower' && raft.role.leader !== null ? 'follows' : 'is alone')
  }
  t.same([...roles], ['follows'])
})

t.test('a leader that is cut off answers nothing as done, and the others go on', async (t) => {
  const script = new Script().found()
  const old = script.leader
  script.isolate(old)
  const told = script.acquire(old, { requestId: script.requestId(), waitMs: 0 })
  script.until(
    () => script.world.machines.some((machine) => machine !== old && machine.node?.replica?.leader === machine.id),
    'another leads',
  )
  const other = script.leader
  t.not(other, old)
  const granted = script.hold(other)
  script.pass(10_000)
  t.match(answerOf(told), /noLeader|unknown/)
  script.heal()
  // What was given up is not sent again: the next command of this node passes it over.
  script.openSession(old, 20_000)
  script.until(() => script.isSettled, 'the old leader follows')
  t.equal(script.holder(), granted.token)
  t.equal(script.read(old), granted.token, 'and shows what the others granted')
})

t.test('S3 everything acknowledged survives a power cut of all', async (t) => {
  const script = new Script().found()
  const { session } = script.openSession(script.leader, 20_000)
  const granted = script.hold(script.follower, { session })
  const released = script.hold(script.follower, { session, lock: asLockName('another'), waitMs: 0 })
  script.release(script.leader, released)
  const time = script.clusterTime
  for (const machine of script.world.machines) machine.crash(true)
  script.pass(60_000)
  for (const machine of script.world.machines) machine.start()
  script.until(() => script.world.leader !== null && script.isSettled, 'they are back')
  t.equal(script.holder(), granted.token)
  t.equal(script.holder(asLockName('another')), null)
  t.ok(script.clusterTime - time < 2000, 'cluster time continues where it stopped')
  t.equal(script.read(script.follower), granted.token)
})

t.test('one member of three can be missing, two cannot', async (t) => {
  const script = new Script().found()
  const [first, second] = script.followers
  assert(first !== undefined && second !== undefined, 'two followers')
  first.crash(true)
  const granted = script.hold(script.leader)
  second.crash(true)
  const told = script.send(script.leader, { kind: 'release', lock: granted.lock, token: granted.token, session: null })
  script.pass(10_000)
  t.match(answerOf(told), /unknown|noLeader/)
  t.equal(script.holder(), granted.token)
  first.start()
  script.until(() => script.world.leader !== null && script.isSettled, 'a majority is back')
  t.equal(script.release(script.leader, granted).kind, 'outcome')
})
