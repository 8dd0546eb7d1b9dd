import t from 'tap'
import { guardKey, guardedCommands, guardedSet, hashTag, isGuardError, redisTokens } from '../../src/guard/index.ts'
import { keepsHighestTokens } from '../guard/tokens-conformance.ts'
import { shuffledTokens } from './shuffled-tokens.ts'
import { startRedis } from './redis-server.ts'

const server = await startRedis(t)

t.test('redis', (t) => keepsHighestTokens(t, redisTokens(server.connect()), 60))

t.test('a value is set by the same or a later holder, and a former one is refused', async (t) => {
  const redis = server.connect()
  const fence = { resource: 'set', key: 'set' }
  await guardedSet(redis, { ...fence, token: 33, value: 'first' })
  await guardedSet(redis, { ...fence, token: 34, value: Buffer.from([0, 255, 10]) })
  await guardedSet(redis, { ...fence, token: 34, value: Buffer.from([0, 255, 11]) })
  await t.rejects(guardedSet(redis, { ...fence, token: 33, value: 'late' }), {
    code: 'token_stale',
    details: { resource: 'set', token: 33, highest: 34 },
  })
  t.same(await redis.getBuffer('set'), Buffer.from([0, 255, 11]))
})

t.test('a time to live is the value’s: the token is remembered when it has gone', async (t) => {
  const redis = server.connect()
  await guardedSet(redis, { resource: 'ttl', token: 34, key: 'ttl', value: 'long', ttlMs: 3_600_000 })
  t.ok((await redis.pttl('ttl')) > 0)
  await guardedSet(redis, { resource: 'ttl', token: 34, key: 'ttl', value: 'short', ttlMs: 1 })
  while ((await redis.exists('ttl')) === 1) await new Promise((resolve) => setTimeout(resolve, 5))
  await t.rejects(guardedSet(redis, { resource: 'ttl', token: 33, key: 'ttl', value: 'late' }), { code: 'token_stale' })
  // One that somebody put on the token itself goes with the next write.
  await redis.pexpire(guardKey('ttl'), 60_000)
  await guardedSet(redis, { resource: 'ttl', token: 34, key: 'ttl', value: 'again' })
  t.equal(await redis.pttl(guardKey('ttl')), -1)
})

t.test('many commands are one write, and their replies come back', async (t) => {
  const redis = server.connect()
  const commands = [
    ['INCRBY', { key: 'stock' }, 5],
    ['GET', { key: 'nothing' }],
    ['RPUSH', { key: 'list' }, 'a', Buffer.from('b'), 7],
    ['LRANGE', { key: 'list' }, 0, -1],
    ['SET', { key: 'word' }, 'stock'],
  ]
  t.same(await guardedCommands(redis, { resource: 'many', token: 34, commands }), [5, null, 3, ['a', 'b', '7'], 'OK'])
  await t.rejects(guardedCommands(redis, { resource: 'many', token: 33, commands }), { code: 'token_stale' })
  t.equal(await redis.get('stock'), '5')
  t.equal(await redis.get('word'), 'stock')
  t.same(await guardedCommands(redis, { resource: 'many', token: 34, commands: [] }), [])
})

t.test('a command that fails takes the rest with it, and its error comes through', async (t) => {
  const redis = server.connect()
  const commands = [
    ['SET', { key: 'text' }, 'x'],
    ['INCR', { key: 'text' }],
    ['SET', { key: 'after' }, 'x'],
  ]
  await t.rejects(guardedCommands(redis, { resource: 'fails', token: 34, commands }), /not an integer/)
  t.equal(await redis.exists('after'), 0)
  await t.rejects(guardedSet(redis, { resource: 'fails', token: 33, key: 'text', value: 'late' }), {
    code: 'token_stale',
  })
  const long = [['DEL', ...Array.from({ length: 1000 }, (_, n) => ({ key: `k${n}` }))]]
  await t.rejects(guardedCommands(redis, { resource: 'fails', token: 34, commands: long }), { code: 'invalid_option' })
  await t.rejects(guardedCommands(redis, { resource: 'fails', token: 34, commands: [[]] }), { code: 'invalid_option' })
  const longest = [['DEL', ...Array.from({ length: 999 }, (_, n) => ({ key: `k${n}` }))]]
  t.same(await guardedCommands(redis, { resource: 'fails', token: 34, commands: longest }), [0])
})

t.test('what is no token where the token should be stops every write', async (t) => {
  const redis = server.connect()
  const write = { resource: 'damaged', token: 34, key: 'damaged', value: 'x' }
  for (const found of ['', 'thirty', '034', '-1', '1.5', '9007199254740992', '1e3']) {
    await redis.set(guardKey('damaged'), found)
    await t.rejects(guardedSet(redis, write), { code: 'memory_damaged' }, JSON.stringify(found))
  }
  await redis.del(guardKey('damaged'))
  await redis.rpush(guardKey('damaged'), '1')
  await t.rejects(guardedSet(redis, write), { code: 'memory_damaged' })
  t.equal(await redis.exists('damaged'), 0)
})

t.test('a Redis that forgot the script is sent it again', async (t) => {
  const redis = server.connect()
  await guardedSet(redis, { resource: 'script', token: 33, key: 'script', value: '1' })
  await redis.script('FLUSH')
  await guardedSet(redis, { resource: 'script', token: 34, key: 'script', value: '2' })
  t.equal(await redis.get('script'), '2')
})

t.test('a client’s key prefix is that of the value and of the token', async (t) => {
  const prefixed = server.connect({ keyPrefix: 'shop:' })
  await guardedSet(prefixed, { resource: 'prefix', token: 34, key: 'prefix', value: 'x' })
  const redis = server.connect()
  t.equal(await redis.get('shop:prefix'), 'x')
  t.equal(await redis.get(`shop:${guardKey('prefix')}`), '34')
  t.equal(await redis.exists('prefix'), 0)
})

t.test('of many racing writers the highest token’s write stays, and none lands after a higher one', async (t) => {
  const clients = Array.from({ length: 8 }, () => server.connect())
  const tokens = shuffledTokens(2000)
  const accepted: number[] = []
  await Promise.all(
    clients.map(async (redis, n) => {
      for (const token of tokens.filter((_, at) => at % clients.length === n)) {
        try {
          const commands = [
            ['RPUSH', { key: 'race:journal' }, token],
            ['SET', { key: 'race' }, token],
          ]
          await guardedCommands(redis, { resource: 'race', token, commands })
          accepted.push(token)
        } catch (error) {
          if (!isGuardError(error) || error.code !== 'token_stale') throw error
        }
      }
    }),
  )
  const redis = server.connect()
  const journal = (await redis.lrange('race:journal', 0, -1)).map(Number)
  t.same(
    journal,
    journal.toSorted((one, other) => one - other),
  )
  t.same(
    accepted.toSorted((one, other) => one - other),
    journal,
    'exactly the accepted ones landed',
  )
  t.equal(await redis.get('race'), '2000')
})

t.test('tokens outlive the server', async (t) => {
  const own = await startRedis(t)
  await guardedSet(own.connect(), { resource: 'restart', token: 34, key: 'restart', value: 'x' })
  await own.process.kill()
  await own.process.start()
  const late = { resource: 'restart', token: 33, key: 'restart', value: 'late' }
  await t.rejects(guardedSet(own.connect(), late), { code: 'token_stale' })
})

t.test('in Redis Cluster keys with the resource’s tag are guarded, others are refused', async (t) => {
  const own = await startRedis(t, { isCluster: true })
  const cluster = own.connectCluster()
  for (const resource of ['orders', 'a}b', '}b', '{}', 'a{b}c', '%7D']) {
    const key = `${hashTag(resource)}:state`
    await guardedSet(cluster, { resource, token: 34, key, value: 'x' })
    await t.rejects(guardedSet(cluster, { resource, token: 33, key, value: 'late' }), { code: 'token_stale' }, resource)
    t.equal(await cluster.get(key), 'x')
  }
  t.not(hashTag('a}b'), hashTag('a%7Db'), 'no two resources share a tag')
  await t.rejects(guardedSet(cluster, { resource: 'orders', token: 34, key: 'elsewhere', value: 'x' }), /slot/i)
})
