// What every store of highest tokens keeps to; a store's own test is a call of this.
import type { Test } from 'tap'
import fc from 'fast-check'
import type { HighestTokens } from '../../src/guard/index.ts'

const largest = Number.MAX_SAFE_INTEGER

/** `runs`: how many drawn sequences the store is worth. */
export async function keepsHighestTokens(t: Test, tokens: HighestTokens, runs: number): Promise<void> {
  let count = 0
  const fresh = (): string => `resource ${++count} of ${process.pid} {x}%/ü`

  t.test('higher and equal tokens are admitted, lower ones are stale', async (t) => {
    const resource = fresh()
    t.same(await tokens.admit({ resource, token: 33 }), { kind: 'admitted' })
    t.same(await tokens.admit({ resource, token: 34 }), { kind: 'admitted' })
    t.same(await tokens.admit({ resource, token: 34 }), { kind: 'admitted' })
    t.same(await tokens.admit({ resource, token: 33 }), { kind: 'stale', highest: 34 })
    t.same(await tokens.admit({ resource, token: 9 }), { kind: 'stale', highest: 34 }, 'compared as numbers')
    t.same(await tokens.admit({ resource: fresh(), token: 33 }), { kind: 'admitted' }, 'each resource by itself')
  })

  t.test('tokens up to 2^53 - 1 are told apart exactly', async (t) => {
    const resource = fresh()
    t.same(await tokens.admit({ resource, token: largest - 1 }), { kind: 'admitted' })
    t.same(await tokens.admit({ resource, token: largest - 2 }), { kind: 'stale', highest: largest - 1 })
    t.same(await tokens.admit({ resource, token: largest }), { kind: 'admitted' })
    t.same(await tokens.admit({ resource, token: largest - 1 }), { kind: 'stale', highest: largest })
  })

  t.test('what is no token or no resource is refused and remembered nowhere', async (t) => {
    const resource = fresh()
    for (const token of [0, -1, 1.5, Number.NaN, Infinity, largest + 1]) {
      await t.rejects(tokens.admit({ resource, token }), { code: 'invalid_token' }, String(token))
    }
    t.same(await tokens.admit({ resource, token: 1 }), { kind: 'admitted' })
    for (const name of ['', 'a\nb', 'a\0b', '\ud800', 'x'.repeat(1025), 'ü'.repeat(513)]) {
      await t.rejects(tokens.admit({ resource: name, token: 1 }), { code: 'invalid_option' }, JSON.stringify(name))
    }
    t.same(await tokens.admit({ resource: 'x'.repeat(1024), token: largest }), { kind: 'admitted' })
  })

  t.test('any sequence of tokens is judged by the highest before', async (t) => {
    const model = fc.array(
      fc.oneof(
        fc.integer({ min: 1, max: 9 }),
        fc.maxSafeNat().map((n) => Math.max(1, n)),
      ),
    )
    await fc.assert(
      fc.asyncProperty(model, async (sequence) => {
        const resource = fresh()
        let highest = 0
        for (const token of sequence) {
          const { kind } = await tokens.admit({ resource, token })
          if ((kind === 'stale') !== token < highest) return false
          highest = Math.max(highest, token)
        }
        return true
      }),
      { numRuns: runs },
    )
    t.pass()
  })

  t.test('of many at once, whoever comes after the highest is refused', async (t) => {
    const resource = fresh()
    const order = Array.from({ length: 40 }, (_, n) => ((n * 17) % 40) + 1)
    const verdicts = await Promise.all(order.map((token) => tokens.admit({ resource, token })))
    t.equal(verdicts[order.indexOf(40)]?.kind, 'admitted')
    t.same(await tokens.admit({ resource, token: 39 }), { kind: 'stale', highest: 40 })
  })
}
