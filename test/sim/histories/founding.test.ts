// Histories of how a cluster comes to be (H27, H32): crashes at every step, members that come late, disks that come empty.
import t from 'tap'
import { assert } from '../../../src/assert.ts'
import { Script } from '../script.ts'

t.test('H27 two members of three do not found a cluster, however long they wait', async (t) => {
  const script = new Script()
  const [first, second, third] = script.world.machines
  assert(first !== undefined && second !== undefined && third !== undefined, 'three machines')
  second.start()
  third.start()
  script.pass(120_000)
  t.same([second.node?.replica, third.node?.replica], [null, null])
  // One of them gets a new disk meanwhile: together with the third they are all, and found a cluster with that disk.
  third.wipe()
  third.start()
  script.pass(10_000)
  t.same([second.node?.replica, third.node?.replica], [null, null])
  first.start()
  script.until(() => script.world.leader !== null && script.isSettled, 'all are there')
  t.equal(second.node?.founding?.clusterId, first.node?.founding?.clusterId)
})

t.test('H27 two empty disks of three do not found a second cluster, and end when they meet the first', async (t) => {
  const script = new Script().found()
  const granted = script.hold(script.leader)
  const [survivor, ...others] = script.world.machines
  assert(survivor !== undefined, 'there are machines')
  for (const machine of script.world.machines) machine.crash(true)
  for (const machine of others) {
    script.world.wiped.add(machine.id)
    machine.wipe()
    machine.start()
  }
  script.pass(60_000)
  t.same(
    others.map(({ node }) => node?.replica),
    [null, null],
  )
  survivor.start()
  script.pass(10_000)
  t.same(
    others.map(({ id }) => script.world.failures.get(id)?.code),
    ['stranger', 'stranger'],
  )
  t.equal(survivor.node?.replica?.leader, null, 'and the survivor waits')
  t.equal(script.holder(), granted.token)
})

t.test('H27 one empty disk of three is refused, and the other two go on', async (t) => {
  const script = new Script().found()
  const { follower } = script
  follower.wipe()
  script.world.wiped.add(follower.id)
  follower.start()
  script.pass(5000)
  t.equal(script.world.failures.get(follower.id)?.code, 'stranger')
  t.match(script.world.failures.get(follower.id)?.message, /does not know disk/)
  t.ok(script.hold(script.leader))
})

t.test(
  'H32 a crash at any step of the founding, of one member or of all, leaves disks that found a cluster',
  async (t) => {
    let steps = 0
    for (let fuse = 0; fuse <= 60; fuse++) {
      for (const crashing of [1, 3]) {
        const script = new Script()
        const { machines } = script.world
        for (const [position, machine] of machines.entries())
          machine.start(position < crashing ? fuse + position : null)
        script.pass(3000)
        const crashed = machines.filter(({ isUp }) => !isUp)
        if (crashed.length > 0) steps++
        for (const machine of machines) {
          if (machine.process !== null) machine.process.fuse = null
          machine.start()
        }
        script.until(() => script.world.leader !== null && script.isSettled, `with a crash at step ${fuse}`)
        assert(script.world.failures.size === 0, 'nobody is damaged')
      }
    }
    t.ok(steps > 80, `${steps} foundings were cut off`)
  },
)

t.test('H32 members that come and go while they found, one after the other', async (t) => {
  for (let pauseMs = 0; pauseMs < 30; pauseMs++) {
    const script = new Script()
    for (const machine of script.world.machines) {
      machine.start()
      script.pass(pauseMs)
    }
    for (const machine of script.world.machines) {
      machine.crash(pauseMs % 2 === 0)
      script.pass(pauseMs)
      machine.start()
    }
    script.until(() => script.world.leader !== null && script.isSettled, `with pauses of ${pauseMs} ms`)
  }
  t.pass()
})
