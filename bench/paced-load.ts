// Pairs at a fixed rate, whatever the answers take: what is due while all connections are busy waits here, and its wait
// counts. (Clients that send the next when the last was answered would hide a stall: while it lasts they ask for nothing.)
import { Connection } from './connection.ts'
import type { Node } from './cluster.ts'
import { percentile } from './statistics.ts'

const connectionsMax = 128
/** More than that is not absorbed: the load is too much, and what is due is left out and counted. */
const dueMax = 20_000
const tickMs = 2

/** What was done since the last look. */
export interface Paced {
  readonly pairsPerSecond: number
  /** From the moment a pair was due until its release was answered. */
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Pairs that were left out, or answered otherwise than with success. */
  readonly failed: number
}

export class PacedLoad {
  readonly #pairsPerSecond: number
  readonly #free: { readonly connection: Connection; readonly lock: string }[]
  readonly #connections: readonly Connection[]
  readonly #timer: NodeJS.Timeout
  readonly #beganAt = performance.now()
  /** When the pairs that wait for a connection were due, oldest first. */
  readonly #due: number[] = []
  #begun = 0
  #latenciesMs: number[] = []
  #failed = 0
  #lookedAt = performance.now()

  constructor(nodes: readonly Node[], pairsPerSecond: number) {
    this.#pairsPerSecond = pairsPerSecond
    this.#free = Array.from({ length: connectionsMax }, (_, number) => {
      const node = nodes[number % nodes.length]
      if (node === undefined) throw new Error('no node to talk to')
      return { connection: new Connection(node.http), lock: `/v1/locks/bench%2Fpaced-${number}` }
    })
    this.#connections = this.#free.map(({ connection }) => connection)
    this.#timer = setInterval(() => this.#tick(), tickMs)
  }

  /** Figures since the last look, or the start. */
  look(): Paced {
    const now = performance.now()
    const latencies = this.#latenciesMs
    const paced = {
      pairsPerSecond: (latencies.length * 1000) / (now - this.#lookedAt),
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      maxMs: percentile(latencies, 1),
      failed: this.#failed,
    }
    this.#lookedAt = now
    this.#latenciesMs = []
    this.#failed = 0
    return paced
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#due.length = 0
    for (const connection of this.#connections) connection.close()
  }

  #tick(): void {
    const count = Math.floor(((performance.now() - this.#beganAt) * this.#pairsPerSecond) / 1000)
    for (; this.#begun < count; this.#begun++) {
      if (this.#due.length < dueMax) this.#due.push(this.#beganAt + (this.#begun * 1000) / this.#pairsPerSecond)
      else this.#failed++
    }
    this.#assign()
  }

  #assign(): void {
    while (this.#due.length > 0) {
      const free = this.#free.shift()
      if (free === undefined) return
      const dueAt = this.#due.shift() ?? 0
      this.#pair(free, dueAt).then(
        () => {
          this.#free.push(free)
          this.#assign()
        },
        // The connection is gone; the others take over.
        () => {
          this.#failed++
        },
      )
    }
  }

  async #pair({ connection, lock }: { connection: Connection; lock: string }, dueAt: number): Promise<void> {
    const requestId = `paced-${process.pid}-${dueAt.toFixed(3)}`
    const granted = await connection.post(`${lock}/acquire`, `{"requestId":"${requestId}","ttlMs":30000}`)
    const token = /"token":(\d+)/.exec(granted.body)?.[1]
    const released = granted.status === 200 && (await connection.post(`${lock}/release`, `{"token":${token}}`))
    if (released !== false && released.status === 200) this.#latenciesMs.push(performance.now() - dueAt)
    else this.#failed++
  }
}
