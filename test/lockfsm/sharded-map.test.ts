import t from 'tap'
import fc from 'fast-check'
import { ShardedMap } from '../../src/lockfsm/sharded-map.ts'

t.test('it keeps what a Map keeps, whatever is set and deleted', async (t) => {
  const key = fc.oneof(fc.constantFrom('', 'a', 'b', '__proto__'), fc.string({ maxLength: 3 }))
  fc.assert(
    fc.property(fc.array(fc.record({ key, value: fc.option(fc.nat()) }), { maxLength: 300, size: 'max' }), (steps) => {
      const [sharded, plain] = [new ShardedMap<string, number>(), new Map<string, number>()]
      for (const { key, value } of steps) {
        if (value === null) {
          if (sharded.delete(key) !== plain.delete(key)) throw new Error('deleted otherwise')
        } else {
          sharded.set(key, value)
          plain.set(key, value)
        }
        if (sharded.size !== plain.size || sharded.get(key) !== plain.get(key)) throw new Error('differs')
        if (sharded.has(key) !== plain.has(key)) throw new Error('differs in what it has')
      }
      const entries = new Map(sharded)
      if (entries.size !== plain.size || [...plain].some(([key, value]) => entries.get(key) !== value)) {
        throw new Error('other entries')
      }
      if (new Set(sharded.keys()).size !== plain.size || [...sharded.values()].length !== plain.size) {
        throw new Error('other keys or values')
      }
    }),
  )
  t.pass()
})
