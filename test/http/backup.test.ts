import { createHash } from 'node:crypto'
import { get as request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { asIndex } from '../../src/ids.ts'
import type { Backups } from '../../src/node/backup.ts'
import { acquire, ask, eventually, get, isProblem } from './calling.ts'
import { serveReplica, startOneMember } from './one-member.ts'
import { listen } from './raw-connection.ts'

/** The answer as soon as its head is there; what follows waits for its reader. */
function begin(port: number, query = ''): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path: `/v1/backup${query}`, agent: false }, resolve).on('error', reject)
  })
}

async function bytesOf(answer: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of answer) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

t.test(
  'a backup is a file by its name and type, ends with its checksum, and says which entry it goes up to',
  async (t) => {
    const member = await startOneMember()
    t.teardown(() => member[Symbol.asyncDispose]())
    await acquire(member.app, 'a')
    const port = await listen(member.app)
    for (const query of ['', '?consistency=stale']) {
      const answer = await begin(port, query)
      t.equal(answer.statusCode, 200)
      t.match(answer.headers, {
        'content-type': 'application/octet-stream',
        'content-disposition': /^attachment; filename="holdfast-[0-9a-f]{8}-\d+\.backup"$/,
        'holdfast-index': String(member.node.replica?.appliedIndex),
      })
      const bytes = await bytesOf(answer)
      t.equal(bytes.subarray(0, 16).toString(), 'Holdfast backup\n')
      const sum = createHash('sha256').update(bytes.subarray(0, -32)).digest()
      t.ok(sum.equals(bytes.subarray(-32)))
    }
  },
)

/** A node whose backup goes on as long as anybody reads it. */
async function serveEndless(end: 'never' | Error = 'never') {
  const seen = { closed: 0, pieces: 0 }
  const backup = {
    to: asIndex(5),
    next: asIndex(1),
    read: (done: (error: Error | null, piece: Uint8Array | null) => void) => {
      setImmediate(() => {
        if (end !== 'never' && seen.pieces === 3) done(end, null)
        else done(null, Buffer.alloc(256 * 1024, seen.pieces++))
      })
    },
    close: () => void seen.closed++,
  }
  const backups = { begin: () => backup } as unknown as Backups
  const app = await serveReplica({ backups })
  return { app, seen, port: await listen(app) }
}

t.test('a reader that is slow is waited for, and one that hangs up ends the backup', async (t) => {
  const { app, seen, port } = await serveEndless()
  t.teardown(() => app.close())
  const answer = await begin(port)
  await new Promise((resolve) => setTimeout(resolve, 300))
  const whileSlow = seen.pieces
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.equal(seen.pieces, whileSlow, 'it stands still')
  t.ok(whileSlow < 100, `${whileSlow} pieces are on their way`)
  t.equal(seen.closed, 0)
  answer.on('error', () => {})
  answer.destroy()
  await eventually(() => (seen.closed > 0 ? true : null))
  t.equal(seen.closed, 1)
})

t.test('a backup that breaks off breaks the connection: it does not look whole', async (t) => {
  const { app, seen, port } = await serveEndless(new Error('the log gave way'))
  t.teardown(() => app.close())
  const answer = await begin(port)
  answer.resume()
  const error = await new Promise<Error>((resolve) => answer.on('error', resolve))
  t.match(error.message, /aborted/)
  t.equal(seen.closed, 1)
})

t.test(
  'there is one at a time, none without a state, and none without a leader unless what the node has is enough',
  async (t) => {
    const why = { begin: 'busy' as 'busy' | 'stateMissing' }
    const backups = { begin: () => why.begin } as unknown as Backups
    const app = await serveReplica({ backups, read: ({ noLeader }) => noLeader() })
    t.teardown(() => app.close())
    isProblem(t, await get(app, '/v1/backup'), 'no_leader')
    isProblem(t, await get(app, '/v1/backup?consistency=stale'), 'overloaded')
    why.begin = 'stateMissing'
    isProblem(t, await get(app, '/v1/backup?consistency=stale'), 'no_leader', { detail: /no state/ })
    isProblem(t, await get(app, '/v1/backup?consistency=eventual'), 'invalid_request')
    isProblem(t, await ask(app, { method: 'DELETE', url: '/v1/backup' }), 'method_not_allowed')
  },
)
