// Many seeds on several cores: threads that play one seed after the other, each as it becomes free. What comes of them is
// told in the order of the seeds, so that the same command says the same, however many cores there are.
import { Worker } from 'node:worker_threads'
import type { RunResult } from './run.ts'

/** How the seeds of a command are played. */
export interface Manner {
  readonly only: 'disk' | null
  /** 18: every seed twice, which must be the same run. */
  readonly twice: boolean
}

export interface Failure {
  readonly seed: number
  readonly message: string
}

/** What came of one seed. */
export type Verdict = { readonly kind: 'passed'; readonly seed: number; readonly result: RunResult } | Failed
type Failed = Failure & { readonly kind: 'failed' }

export interface CrewParts {
  readonly from: number
  readonly count: number
  readonly jobs: number
  readonly manner: Manner
  /** Called once for every seed, in their order. */
  readonly told: (verdict: Verdict) => void
}

/** Plays all seeds; rejects when a thread ends by something that is no verdict. */
export async function playSeeds(parts: CrewParts): Promise<void> {
  const queue = new Queue(parts)
  await Promise.all(Array.from({ length: Math.min(parts.jobs, parts.count) }, () => work(queue, parts.manner)))
}

class Queue {
  readonly #parts: CrewParts
  #next: number
  #toTell: number
  readonly #early = new Map<number, Verdict>()

  constructor(parts: CrewParts) {
    this.#parts = parts
    this.#next = parts.from
    this.#toTell = parts.from
  }

  take(): number | null {
    return this.#next < this.#parts.from + this.#parts.count ? this.#next++ : null
  }

  judged(verdict: Verdict): void {
    this.#early.set(verdict.seed, verdict)
    for (;;) {
      const next = this.#early.get(this.#toTell)
      if (next === undefined) return
      this.#early.delete(this.#toTell++)
      this.#parts.told(next)
    }
  }
}

async function work(queue: Queue, manner: Manner): Promise<void> {
  const worker = new Worker(new URL('crew-thread.js', import.meta.url), { workerData: manner })
  try {
    for (let seed = queue.take(); seed !== null; seed = queue.take()) queue.judged(await ask(worker, seed))
  } finally {
    await worker.terminate()
  }
}

async function ask(worker: Worker, seed: number): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.removeAllListeners('error').once('error', reject)
    worker.postMessage(seed)
  })
}
