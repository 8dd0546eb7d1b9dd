// A wire between a client and a node that a test can cut: everything that lies in it is lost, and who dials is refused.
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { Test } from 'tap'

export class SeveredWire {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #url = ''

  private constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connect(port, '127.0.0.1')
      for (const socket of [near, far]) {
        this.#sockets.add(socket)
        socket.setNoDelay(true)
        socket.on('error', () => {})
        socket.on('close', () => {
          this.#sockets.delete(socket)
          near.destroy()
          far.destroy()
        })
      }
      near.pipe(far).pipe(near)
    })
  }

  static async to(t: Test, port: number): Promise<SeveredWire> {
    const wire = new SeveredWire(port)
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve))
    const address = wire.#server.address()
    if (address === null || typeof address === 'string') throw new Error('it listens on a port')
    wire.#url = `http://127.0.0.1:${address.port}`
    t.teardown(() => wire.cut())
    return wire
  }

  get url(): string {
    return this.#url
  }

  /** For good. */
  cut(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
