// The bound of the fault model: never more than a minority of disks that lost what they had confirmed.
import t from 'tap'
import type { NodeId } from '../../src/ids.ts'
import { askToTakeIn, remount, scene, takeIn, wipe } from './histories/scene.ts'
import { Injuries } from './injuries.ts'

t.test('of three one may be hurt, of five two, disks that are lost for ever among them', async (t) => {
  for (const [members, most] of [
    [3, 1],
    [5, 2],
  ] as const) {
    const { machines, wiped } = scene({ members }).script.world
    const injuries = new Injuries(machines, wiped)
    for (const machine of machines) if (injuries.mayHurt(machine)) injuries.hurt(machine, 'rottenLog')
    t.equal(injuries.left.length, most)
    const others = new Injuries(machines, new Set<NodeId>(machines.slice(0, most).map(({ id }) => id)))
    t.notOk(machines.slice(most).some((machine) => others.mayHurt(machine)))
  }
})

t.test('a lost disk is one until another counts in its place', async (t) => {
  const { script, a, b } = scene()
  const { injuries } = script.world
  injuries.hurt(b, 'lost')
  t.notOk(injuries.mayHurt(a))
  wipe(script, b)
  t.notOk(injuries.mayHurt(a), 'it is a stranger')
  takeIn(script, b, a)
  t.ok(injuries.mayHurt(a))
  t.same(injuries.left, [])
})

t.test('a state that is damaged is an injury until a snapshot is on the disk', async (t) => {
  const { script, a, b } = scene()
  const { injuries } = script.world
  injuries.hurt(b, 'rottenState')
  t.notOk(injuries.mayHurt(a), 'nobody has looked at it')
  b.crash(true)
  t.notOk(injuries.mayHurt(a))
  b.start()
  script.until(() => script.isSettled && b.isUp, 'it is back')
  t.ok(injuries.mayHurt(a), 'it was written anew before')
})

t.test('a disk that is named again is one until it knows that: it counted in a former life', async (t) => {
  const { script, a, b: w, c } = scene()
  const { injuries, network } = script.world
  const former = w.disk
  wipe(script, w)
  takeIn(script, w, a)
  remount(w, former)
  injuries.hurt(w, 'lost')
  t.equal(askToTakeIn(script, w, a), 'done')
  network.cut(a.id, w.id)
  network.cut(c.id, w.id)
  w.start()
  script.pass(300)
  t.notOk(injuries.mayHurt(a))
  script.heal()
  script.until(() => script.isSettled, 'it has been told')
  script.pass(1000)
  t.ok(injuries.mayHurt(a))
})
