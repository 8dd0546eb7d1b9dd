import t from 'tap'
import { memoryTokens } from '../../src/guard/index.ts'
import { keepsHighestTokens } from './tokens-conformance.ts'

t.test('memory', (t) => keepsHighestTokens(t, memoryTokens(), 200))

t.test('a full memory refuses new resources and forgets none', async (t) => {
  const tokens = memoryTokens({ resourcesMax: 2 })
  tokens.admitNow({ resource: 'a', token: 5 })
  tokens.admitNow({ resource: 'b', token: 5 })
  t.throws(() => tokens.admitNow({ resource: 'c', token: 5 }), { code: 'memory_full', statusCode: 503 })
  t.same(tokens.admitNow({ resource: 'a', token: 4 }), { kind: 'stale', highest: 5 })
  t.same(tokens.admitNow({ resource: 'b', token: 6 }), { kind: 'admitted' })
})
