// A PostgreSQL of its own for a test. Its disk is never synced: no test of it cuts the power.
import { execFileSync } from 'node:child_process'
import { chownSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import type { Test } from 'tap'
import { postgresProgram, postgresUser } from './programs.ts'
import { ServerProcess, freePort, serverFolder } from './server-process.ts'

export interface PostgresServer {
  readonly process: ServerProcess
  readonly url: string
  /** A connection of its own, closed when the test is over. */
  connect(): Promise<pg.Client>
  pool(): pg.Pool
}

export async function startPostgres(t: Test): Promise<PostgresServer> {
  const folder = serverFolder(t)
  const user = postgresUser()
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  const founded = ['-D', data, '-U', 'holdfast', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']
  execFileSync(postgresProgram('initdb'), founded, { stdio: ['ignore', 'ignore', 'inherit'], cwd: folder, ...user })
  const port = await freePort()
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, 'fsync=off']
  const place = { host: '127.0.0.1', port, user: 'holdfast', database: 'postgres' }
  const server = new ServerProcess(t, {
    name: 'postgres',
    program: postgresProgram('postgres'),
    args: ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
    folder,
    // Fast: open connections are cut.
    stopSignal: 'SIGINT',
    ...(user === undefined ? {} : { user }),
    isReady: () => answers(place),
  })
  await server.start()
  return {
    process: server,
    url: `postgres://holdfast@127.0.0.1:${port}/postgres`,
    connect: async () => {
      const client = new pg.Client(place)
      // A server that is stopped, or ends a session, says so to the connection; the test sees it in its queries.
      client.on('error', () => {})
      await client.connect()
      t.teardown(() => client.end())
      return client
    },
    pool: () => {
      const pool = new pg.Pool({ ...place, max: 8 })
      pool.on('error', () => {})
      t.teardown(() => pool.end())
      return pool
    },
  }
}

/** Until another session waits for a lock; `observer` must not be in a transaction, which would freeze what it sees. */
export async function untilOneWaits(observer: pg.Client): Promise<void> {
  const waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
  while ((await observer.query(waiting)).rowCount === 0) await new Promise((resolve) => setTimeout(resolve, 10))
}

async function answers(place: pg.ClientConfig): Promise<boolean> {
  const client = new pg.Client(place)
  client.on('error', () => {})
  try {
    await client.connect()
    await client.end()
    return true
  } catch {
    return false
  }
}
