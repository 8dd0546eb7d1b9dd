// Fills a lock table over HTTP: sessions that live for a day, and locks that they hold from then on. Many connections, one
// request at a time on each.
import { Connection } from './connection.ts'
import type { Node } from './cluster.ts'
import { seconds } from './pairs.ts'

const clients = 192
const day = 86_400_000

export async function openSessions(nodes: readonly Node[], count: number): Promise<readonly string[]> {
  const sessions: string[] = []
  await inParallel(nodes, { from: 0, to: count }, async (connection, index) => {
    const body = `{"requestId":"open-${serial(index)}","ttlMs":${day}}`
    const answer = await until2xx(connection, '/v1/sessions', body)
    const session = /"session":"([^"]+)"/.exec(answer)?.[1]
    if (session === undefined) throw new Error(`open: ${answer}`)
    sessions.push(session)
  })
  return sessions
}

/** Takes the locks numbered `from` up to `to`, in the sessions by turns. */
export function holdLocks(
  nodes: readonly Node[],
  sessions: readonly string[],
  range: { from: number; to: number },
): Promise<void> {
  return inParallel(nodes, range, async (connection, index) => {
    const session = sessions[index % sessions.length]
    const body = `{"session":"${session}","requestId":"r-${serial(index)}"}`
    await until2xx(connection, `/v1/locks/%2Fjobs%2Feu-west-1%2F${serial(index)}/acquire`, body)
  })
}

async function inParallel(
  nodes: readonly Node[],
  range: { from: number; to: number },
  work: (connection: Connection, index: number) => Promise<void>,
): Promise<void> {
  let next = range.from
  const runOne = async (number: number): Promise<void> => {
    const node = nodes[number % nodes.length]
    if (node === undefined) throw new Error('no node to talk to')
    const connection = new Connection(node.http)
    while (next < range.to) await work(connection, next++)
    connection.close()
  }
  await Promise.all(Array.from({ length: clients }, (_, number) => runOne(number)))
}

/** A request that can be repeated, until it is done. Returns the body of the answer. */
async function until2xx(connection: Connection, path: string, body: string): Promise<string> {
  for (let trial = 1; ; trial++) {
    const answer = await connection.post(path, body)
    if (answer.status >= 200 && answer.status < 300) return answer.body
    // Overloaded, or between two leaders.
    if (answer.status !== 503 || trial === 100) throw new Error(`${path}: ${answer.status} ${answer.body}`)
    await seconds(0.1)
  }
}

function serial(index: number): string {
  return String(index).padStart(16, '0')
}
