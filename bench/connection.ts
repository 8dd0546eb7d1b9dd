// One keep-alive HTTP/1.1 connection that costs next to nothing: one request at a time, headers written by hand, of the
// answer only the status and the body. The machine's two cores are shared with the servers; a client library would take
// more of them than the node that is measured.
import { connect } from 'node:net'
import type { Socket } from 'node:net'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface Answer {
  readonly status: number
  readonly body: string
}

/** The connection broke before the answer was complete. */
export class Broken extends Error {
  override readonly name = 'Broken'
}

export class Connection {
  readonly #socket: Socket
  readonly #host: string
  #settle: { resolve(answer: Answer): void; reject(error: Error): void } | null = null
  #received = ''

  constructor({ host, port }: Address) {
    this.#host = `${host}:${port}`
    this.#socket = connect({ host, port, noDelay: true })
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (text: string) => this.#onData(text))
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => {
      this.#settle?.reject(new Broken('connection closed'))
      this.#settle = null
    })
  }

  post(path: string, body: string): Promise<Answer> {
    return this.#send(
      `POST ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  }

  get(path: string): Promise<Answer> {
    return this.#send(`GET ${path} HTTP/1.1\r\nHost: ${this.#host}\r\n\r\n`)
  }

  close(): void {
    this.#socket.destroy()
  }

  #send(text: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new Broken('connection closed'))
        return
      }
      this.#settle = { resolve, reject }
      this.#socket.write(text)
    })
  }

  #onData(text: string): void {
    this.#received += text
    const headEnd = this.#received.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const head = this.#received.slice(0, headEnd)
    const length = /content-length: *(\d+)/i.exec(head)?.[1]
    const bodyEnd = headEnd + 4 + Number(length ?? 0)
    if (this.#received.length < bodyEnd) return
    const answer = { status: Number(head.slice(9, 12)), body: this.#received.slice(headEnd + 4, bodyEnd) }
    this.#received = this.#received.slice(bodyEnd)
    const settle = this.#settle
    this.#settle = null
    settle?.resolve(answer)
  }
}
