// Whatever may listen where a node is expected: a test says byte by byte what is answered to each request, and sees how
// many connections and requests there were. Everything is closed when the test is over.
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import type { Test } from 'tap'

/** `count`: of the requests before, on all connections. */
export type Manners = (socket: Socket, count: number) => void

export interface HostileServer {
  readonly url: string
  readonly port: number
  readonly connections: () => number
  readonly open: () => number
  /** As they came, head and body. */
  readonly requests: readonly string[]
}

export async function startHostileServer(t: Test, manners: Manners): Promise<HostileServer> {
  const sockets = new Set<Socket>()
  const requests: string[] = []
  let connections = 0
  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      const request = firstRequestIn(text)
      if (request === null) return
      text = text.slice(request.length)
      requests.push(request)
      manners(socket, requests.length - 1)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { url: `http://127.0.0.1:${port}`, port, connections: () => connections, open: () => sockets.size, requests }
}

function firstRequestIn(text: string): string | null {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return null
  const length = Number(/^content-length: (\d+)$/im.exec(text.slice(0, end))?.[1] ?? 0)
  return text.length < end + 4 + length ? null : text.slice(0, end + 4 + length)
}

export interface Spoken {
  readonly status?: string
  readonly type?: string
  readonly body?: string
  readonly headers?: readonly string[]
  /** Default: that of the body. */
  readonly length?: number
}

/** An HTTP answer as text. */
export function http({ status = '200 OK', type = 'application/json', body = '{}', headers = [], length }: Spoken = {}) {
  const lines = [`HTTP/1.1 ${status}`, `content-type: ${type}`, `content-length: ${length ?? Buffer.byteLength(body)}`]
  return `${[...lines, ...headers].join('\r\n')}\r\n\r\n${body}`
}
