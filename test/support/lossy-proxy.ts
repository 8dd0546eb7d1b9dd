// A network between a client and a node that loses what a test says: requests that never arrive, answers that never come
// back, connections that break in between. What was let through arrived.
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import type { Test } from 'tap'

/** What becomes of one piece of data, and with `cut` of its connection. */
export type Fate = 'pass' | 'lose' | 'cut' | 'passAndCut'

export interface LossyProxy {
  readonly url: string
  /** May be replaced at any time. */
  fate: (direction: 'request' | 'answer') => Fate
}

/** To `port` on this machine; everything is closed when the test is over. */
export async function startLossyProxy(t: Test, port: number): Promise<LossyProxy> {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  }
  const server = createServer((client) => {
    const node = keep(connect(port, '127.0.0.1'))
    keep(client)
    carry('request', { from: client, to: node })
    carry('answer', { from: node, to: client })
  })
  const carry = (direction: 'request' | 'answer', { from, to }: { from: Socket; to: Socket }): void => {
    from.on('close', () => to.destroy())
    from.on('data', (chunk) => {
      const fate = proxy.fate(direction)
      if (fate === 'pass' || fate === 'passAndCut') to.write(chunk)
      if (fate === 'cut') to.destroy()
      if (fate === 'passAndCut') to.end()
      if (fate === 'cut' || fate === 'passAndCut') from.destroy()
    })
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const address = server.address()
  const own = typeof address === 'object' && address !== null ? address.port : 0
  const proxy: LossyProxy = { url: `http://127.0.0.1:${own}`, fate: () => 'pass' }
  return proxy
}
