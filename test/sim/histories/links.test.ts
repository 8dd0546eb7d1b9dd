// Histories of links: what an outage of the network costs when no socket is closed by it (L1, L3).
import t from 'tap'
import { asNodeId } from '../../../src/ids.ts'
import { answerOf, Script } from '../script.ts'

const backoff = { delayMinMs: 1, delayMeanMs: 0, loss: 0, duplicate: 0, reorder: 0, backoff: true }

t.test('L3 an outage is over when the network heals, not as long again', async (t) => {
  for (const [trial, outageMs] of [2000, 3000, 10_000, 60_000, 120_000, 600_000].entries()) {
    const script = new Script({ network: backoff, members: trial % 2 === 0 ? 3 : 5 }, `trial ${trial}`).found()
    for (const machine of script.world.machines) script.isolate(machine)
    script.pass(outageMs)
    script.heal()
    const since = script.now
    script.until(() => script.world.leader !== null && script.isSettled, 'all follow one leader', 2 * outageMs)
    const told = script.acquire(script.follower, { requestId: script.requestId(), waitMs: 0 })
    script.until(() => told.reply !== null, 'an answer')
    t.equal(answerOf(told), 'granted')
    t.ok(script.now - since < 6000, `${outageMs} ms, and ${script.now - since} ms more`)
  }
})

t.test('L3 nor does one that cuts off a single member, in one direction only', async (t) => {
  for (const [trial, isOutward] of [true, false, true, false].entries()) {
    const script = new Script({ network: backoff }, `trial ${trial}`).found()
    const { follower, world } = script
    for (const { id } of world.machines) {
      if (id === follower.id) continue
      if (isOutward) world.network.cut(follower.id, id)
      else world.network.cut(id, follower.id)
    }
    script.pass(60_000)
    script.heal()
    const since = script.now
    script.until(() => script.isSettled && script.replicaOf(follower).leader !== null, 'it follows')
    t.ok(script.now - since < 6000, `${script.now - since} ms`)
  }
})

t.test('H34 a member that is paused until its links are given up is not taken for gone, and comes back', async (t) => {
  const script = new Script().found()
  const { leader, follower, world } = script
  const term = script.replicaOf(leader).core.raft.currentTerm
  follower.process?.pauseUntil(script.now + 60_000)
  script.pass(61_000)
  const since = script.now
  script.until(() => script.isSettled, 'it follows')
  script.pass(5000)
  t.ok(script.now - since < 10_000)
  t.equal(world.leader, leader)
  t.equal(script.replicaOf(leader).core.raft.currentTerm, term)
  const closed = script.lines.filter((line) => line.includes(`${leader.id} link to ${follower.id} closed`))
  t.ok(closed.length <= 3, `${closed.length} lines about it in a minute`)
})

t.test('links of a cluster that is idle are left alone', async (t) => {
  const script = new Script({ members: 5 }).found()
  script.pass(120_000)
  t.notOk(script.lines.some((line) => line.includes('closed')))
  t.ok(script.world.machine(asNodeId('n1')).node?.peers.isConnected(asNodeId('n5')))
})
