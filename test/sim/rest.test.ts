// Healed worlds that do not come to rest, each in one way; and one that does. The checks themselves must be able to fail.
import t from 'tap'
import { scene } from './histories/scene.ts'
import { probe } from './probe.ts'
import { rest } from './rest.ts'

t.test('29-32 a healthy cluster comes to rest', async (t) => {
  const { script, a } = scene()
  script.release(a, script.hold(a))
  rest(script.world, script.world.machines)
  t.ok(script.committed('acquire').length > 3, 'and every lock was taken through every node')
})

t.test('29 a world without a leader is seen', async (t) => {
  const { script, a, b } = scene()
  for (const machine of [a, b]) machine.crash(true)
  t.throws(() => rest(script.world, script.world.machines), /^L3: the world did not come to rest/)
})

t.test('29 a member that does not catch up is seen', async (t) => {
  const { script, a, b } = scene()
  script.isolate(b)
  script.release(a, script.hold(a))
  t.throws(() => rest(script.world, script.world.machines), /^29: the members did not converge/)
})

t.test('29 a lock that nobody gives back is seen', async (t) => {
  const { script, a } = scene()
  script.hold(a, { ttlMs: 600_000 })
  t.throws(() => rest(script.world, script.world.machines), /^L1: locks are held after everybody has gone/)
})

t.test('30 a lock that is not granted is seen', async (t) => {
  const { script, a } = scene()
  script.hold(a, { ttlMs: 600_000 })
  probe(script.world, [a.id], () => {})
  t.throws(() => script.pass(60_000), new RegExp(`^30: lock 0 is not granted through ${a.id}`))
})

t.test('31 a call that is never answered is seen', async (t) => {
  const { script } = scene()
  Object.assign(script.world.frontend, { send: () => ({ hangUp: () => {} }) })
  t.throws(() => rest(script.world, script.world.machines), /^31: a call was never answered/)
})

t.test('32 commands that are kept for ever are seen', async (t) => {
  const { script, b } = scene()
  Object.defineProperty(script.replicaOf(b), 'unanswered', { value: 1 })
  t.throws(() => rest(script.world, script.world.machines), /^32: commands are kept that have no fate/)
})
