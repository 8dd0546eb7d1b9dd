// HTTP as bytes on a connection, for what clients with manners do not send.
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { App } from '../../src/http/door.ts'
import type { Answer } from './calling.ts'

/** Lets the application listen on a free port; it stops when it is closed. */
export async function listen(app: App): Promise<number> {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  if (typeof address !== 'object' || address === null) throw new Error('a listening server has a port')
  return address.port
}

/** Sends one request each time, on a connection of its own; `text` is its head, or all of it. */
export async function connectTo(app: App, patienceMs?: number): Promise<(text: string | Buffer) => Promise<Answer>> {
  const port = await listen(app)
  return async (text) => {
    const whole =
      typeof text === 'string' && !text.includes('\r\n\r\n') ? `${text}\r\nhost: x\r\nconnection: close\r\n\r\n` : text
    return parseAnswer(await exchange(port, whole, patienceMs))
  }
}

/** Everything that comes back until the other end closes, or says nothing for `patienceMs`. */
export function exchange(port: number, bytes: string | Buffer, patienceMs = 10_000): Promise<Buffer> {
  return new Promise((resolve) => {
    const received: Buffer[] = []
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(bytes))
    socket.setTimeout(patienceMs, () => socket.destroy())
    socket.on('data', (chunk: Buffer) => received.push(chunk))
    socket.on('error', () => {})
    socket.on('close', () => resolve(Buffer.concat(received)))
  })
}

export function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.once('connect', () => resolve(socket))
    socket.once('error', reject)
  })
}

/** The first answer in what was received; its status is NaN when there is none. */
export function parseAnswer(received: Buffer): Answer {
  const end = received.indexOf('\r\n\r\n')
  const [status = '', ...lines] = received.subarray(0, Math.max(0, end)).toString('latin1').split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const text = received.subarray(end + 4, end + 4 + Number(headers['content-length'] ?? 0)).toString()
  const isJson = /json/.test(headers['content-type'] ?? '')
  return { status: Number(status.split(' ')[1]), body: isJson && text !== '' ? JSON.parse(text) : {}, text, headers }
}
