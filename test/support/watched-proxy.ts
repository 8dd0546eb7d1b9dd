// A way from a client to a node on which a test sees every request, and which it can cut.
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import type { Test } from 'tap'

export class WatchedProxy {
  /** Paths of all requests that came, in order. */
  readonly paths: string[] = []
  readonly #port: number
  readonly #sockets = new Set<Socket>()
  #isCut = false
  #ownPort = 0

  private constructor(port: number) {
    this.#port = port
  }

  /** To `port` of this machine; everything is closed when the test is over. */
  static async start(t: Test, port: number): Promise<WatchedProxy> {
    const proxy = new WatchedProxy(port)
    const server = createServer((client) => proxy.#carry(client))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(async () => {
      proxy.cut()
      await new Promise((resolve) => server.close(resolve))
    })
    const address = server.address()
    if (typeof address === 'object' && address !== null) proxy.#ownPort = address.port
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${this.#ownPort}`
  }

  get renewals(): number {
    return this.paths.filter((path) => path.endsWith('/renew')).length
  }

  /** Breaks what is connected; whoever connects later is heard, and not answered. */
  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  #carry(client: Socket): void {
    this.#keep(client)
    if (this.#isCut) return
    const node = this.#keep(connect(this.#port, '127.0.0.1'))
    client.on('data', (chunk) => {
      for (const [, path = ''] of chunk.toString('latin1').matchAll(/^(?:GET|POST|DELETE) (\S+) HTTP/gm)) {
        this.paths.push(path)
      }
      node.write(chunk)
    })
    node.on('data', (chunk) => client.write(chunk))
    client.on('close', () => node.destroy())
    node.on('close', () => client.destroy())
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket)
    return socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket))
  }
}
