// What a benchmark sees of a node from outside, and through its probe: memory as the operating system counts it, what its
// folder takes on the disk, pauses of its event loop, single figures of /metrics.
import { readFileSync } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Node } from './cluster.ts'
import { Connection } from './connection.ts'
import type { Probed } from './pause-probe.ts'

const mebibyte = 2 ** 20

export interface ResidentMemory {
  readonly nowMiB: number
  /** The most there was since the process was started. */
  readonly peakMiB: number
}

/** As Linux says it; NaN where there is no /proc. */
export function residentMemory({ process }: Node): ResidentMemory {
  const read = (field: string): number => {
    try {
      const status = readFileSync(`/proc/${process.pid}/status`, 'utf8')
      return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024
    } catch {
      return NaN
    }
  }
  return { nowMiB: read('VmRSS'), peakMiB: read('VmHWM') }
}

/** Blocks taken by everything in the node's folder, as `du` counts. */
export async function diskMiB({ folder }: Node): Promise<number> {
  return (await bytesBelow(folder)) / mebibyte
}

async function bytesBelow(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => [])
  const each = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name)
      // The database deletes files while we look.
      const stats = await lstat(path).catch(() => null)
      if (stats === null) return 0
      return stats.isDirectory() ? bytesBelow(path) : stats.blocks * 512
    }),
  )
  return each.reduce((sum, bytes) => sum + bytes, 0)
}

/** What the probe in the node says; pauses are those since it was last asked. `memory` costs a full collection. */
export function probe({ id, process }: Node, question: 'pauses' | 'memory'): Promise<Probed> {
  return new Promise((resolve, reject) => {
    process.once('message', (answer: unknown) => {
      if (isProbed(answer)) resolve(answer)
      else reject(new Error(`the probe of ${id} answers ${JSON.stringify(answer)}`))
    })
    process.send(question)
  })
}

function isProbed(value: unknown): value is Probed {
  return typeof value === 'object' && value !== null && 'pauses' in value && 'heapBytes' in value
}

/** One figure of /metrics by its name; NaN when there is none. */
export async function metric({ http }: Node, name: string): Promise<number> {
  const connection = new Connection(http)
  const { body } = await connection.get('/metrics')
  connection.close()
  return metricIn(body, name)
}

export function metricIn(text: string, name: string): number {
  return Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'm').exec(text)?.[1] ?? NaN)
}
