// What a guard costs: the same write without and with it, by turns, one at a time, on the loopback. Prints medians in
// microseconds. Run it by hand: node build/test/guards-real/cost.js
import t from 'tap'
import { open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  fileTokens,
  guardedReplace,
  guardedSet,
  guardedTransaction,
  installPostgresGuard,
  memoryTokens,
  postgresTokens,
  redisTokens,
} from '../../src/guard/index.ts'
import { temporaryFolder } from '../storage/temporary-folder.ts'
import { startPostgres } from './postgres-server.ts'
import { startRedis } from './redis-server.ts'

type Work = () => Promise<unknown>

async function compare(what: string, count: number, works: Readonly<Record<string, Work>>): Promise<void> {
  const timesUs = new Map(Object.keys(works).map((name) => [name, new Array<number>()]))
  for (let n = 0; n < count; n++) {
    for (const [name, work] of Object.entries(works)) {
      const begun = process.hrtime.bigint()
      await work()
      timesUs.get(name)?.push(Number(process.hrtime.bigint() - begun) / 1000)
    }
  }
  for (const [name, times] of timesUs) {
    const sorted = times.slice(Math.floor(count / 10)).toSorted((one, other) => one - other)
    t.comment(`${what}: ${name}: ${sorted[Math.floor(sorted.length / 2)]?.toFixed(1)} us`)
  }
}

t.setTimeout(0)
const fence = { resource: 'cost', token: 34 }
const memory = memoryTokens()
const folder = temporaryFolder(t)
await compare('door', 20_000, {
  'memory, admit': () => memory.admit(fence),
})

const redis = (await startRedis(t)).connect()
await compare('redis, appendfsync always', 3000, {
  SET: () => redis.set('plain', 'x'),
  guardedSet: () => guardedSet(redis, { ...fence, key: 'guarded', value: 'x' }),
  'redisTokens.admit': () => redisTokens(redis).admit(fence),
})
await redis.config('SET', 'appendfsync', 'no')
await compare('redis, appendfsync no', 3000, {
  SET: () => redis.set('plain', 'x'),
  guardedSet: () => guardedSet(redis, { ...fence, key: 'guarded', value: 'x' }),
  'redisTokens.admit': () => redisTokens(redis).admit(fence),
})

const client = await (await startPostgres(t)).connect()
await installPostgresGuard(client)
await client.query(`CREATE TABLE plain (id int PRIMARY KEY, n int);
  CREATE TABLE guarded (id int PRIMARY KEY, n int);
  CREATE TABLE triggered (id int PRIMARY KEY, n int);
  INSERT INTO plain VALUES (1, 1); INSERT INTO guarded VALUES (1, 1); INSERT INTO triggered VALUES (1, 1);
  SELECT holdfast_guard_table('triggered')`)
await compare('postgres, fsync off', 3000, {
  'plain transaction': async () => {
    await client.query('BEGIN')
    await client.query('UPDATE plain SET n = n + 1 WHERE id = $1', [1])
    await client.query('COMMIT')
  },
  guardedTransaction: () =>
    guardedTransaction(client, fence, () => client.query('UPDATE guarded SET n = n + 1 WHERE id = $1', [1])),
  'plain statement': () => client.query('UPDATE plain SET n = n + 1 WHERE id = $1', [1]),
  'statement on a guarded table': () =>
    client.query('UPDATE triggered SET n = n + 1, fencing_token = $2 WHERE id = $1', [1, 34]),
  'postgresTokens.admit': () => postgresTokens(client).admit(fence),
})

const path = join(folder, 'file')
await compare('file', 300, {
  'write, fsync, rename, fsync': async () => {
    const file = await open(`${path}.new`, 'w')
    await file.writeFile('text')
    await file.sync()
    await file.close()
    await rename(`${path}.new`, path)
    const place = await open(dirname(path), 'r')
    await place.sync()
    await place.close()
  },
  guardedReplace: () => guardedReplace({ path: `${path}-guarded`, token: 34 }, 'text'),
  'fileTokens.admit': () => fileTokens({ folder }).admit(fence),
})
t.end()
