// A Redis of its own for a test, with the settings that the guard's README asks for; as a cluster of one when asked.
import { Cluster, Redis } from 'ioredis'
import type { Test } from 'tap'
import { redisProgram } from './programs.ts'
import { ServerProcess, freePort, serverFolder } from './server-process.ts'

export interface RedisServer {
  readonly process: ServerProcess
  readonly port: number
  /** A connection of its own, closed when the test is over. */
  connect(options?: { readonly keyPrefix: string }): Redis
  connectCluster(): Cluster
}

export async function startRedis(t: Test, { isCluster = false } = {}): Promise<RedisServer> {
  const folder = serverFolder(t)
  const port = await freePort()
  const place = { host: '127.0.0.1', port }
  const settings = { bind: place.host, port, dir: folder, save: '', appendonly: 'yes', appendfsync: 'always' }
  const clustered = { 'cluster-enabled': 'yes', 'cluster-announce-ip': place.host, 'cluster-port': await freePort() }
  const server = new ServerProcess(t, {
    name: 'redis',
    program: redisProgram,
    args: Object.entries({ ...settings, 'maxmemory-policy': 'noeviction', ...(isCluster ? clustered : {}) }).flatMap(
      ([name, value]) => [`--${name}`, String(value)],
    ),
    folder,
    stopSignal: 'SIGTERM',
    isReady: () => answers(place),
  })
  await server.start()
  const connect = (options = {}): Redis => {
    const redis = new Redis({ ...place, ...options })
    redis.on('error', () => {})
    t.teardown(() => redis.disconnect())
    return redis
  }
  if (isCluster) await takeAllSlots(connect())
  return {
    process: server,
    port,
    connect,
    connectCluster: () => {
      const cluster = new Cluster([place])
      t.teardown(() => cluster.disconnect())
      return cluster
    },
  }
}

async function takeAllSlots(redis: Redis): Promise<void> {
  await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  while (!String(await redis.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function answers(place: { host: string; port: number }): Promise<boolean> {
  const redis = new Redis({ ...place, lazyConnect: true, retryStrategy: () => null })
  redis.on('error', () => {})
  try {
    await redis.connect()
    return (await redis.ping()) === 'PONG'
  } catch {
    return false
  } finally {
    redis.disconnect()
  }
}
