// What many seeds come to: the figures of a run, for its last lines and for the table of README.md, which grows by one line
// with every long run.
import { spawnSync } from 'node:child_process'
import { happeningKinds, noHappenings, tell } from './happenings.ts'
import type { RunResult } from './run.ts'

export interface Effort {
  readonly elapsedMs: number
  /** User and system time of all threads. */
  readonly cpuMs: number
  readonly jobs: number
}

export class Tally {
  readonly failed: number[] = []
  readonly #happenings = noHappenings()
  #passed = 0
  #simulatedMs = 0
  #operations = 0
  #grants = 0
  #frames = 0
  /** Seconds of processor time are divided by this: every seed twice is twice the work. */
  readonly #plays: number

  constructor(plays: number) {
    this.#plays = plays
  }

  add({ simulatedMs, operations, grants, frames, happenings }: RunResult): void {
    this.#passed++
    this.#simulatedMs += simulatedMs
    this.#operations += operations
    this.#grants += grants
    this.#frames += frames
    for (const kind of happeningKinds) this.#happenings[kind] += happenings[kind]
  }

  /** The closing lines. Of failed seeds nothing is counted but that they failed. */
  lines({ elapsedMs, cpuMs, jobs }: Effort): readonly string[] {
    const seconds = this.#simulatedMs / 1000
    const perSecond = (count: number): string => (count / (seconds || 1)).toFixed(1)
    return [
      `${this.#passed + this.failed.length} seeds${this.#plays > 1 ? ', each twice' : ''}: ` +
        `${(seconds / 3600).toFixed(2)} h simulated, ${this.#operations} operations, ${this.#grants} grants, ` +
        `${this.failed.length} failed`,
      `${(elapsedMs / 1000).toFixed(1)} s with ${jobs} at once, ${(cpuMs / 1000).toFixed(1)} s of processor time: ` +
        `${this.#speed(cpuMs)} times real time per core; per simulated second ${perSecond(this.#operations)} ` +
        `operations and ${perSecond(this.#frames)} messages`,
      tell(this.#happenings),
    ]
  }

  /** A row of the table in README.md. */
  row(seeds: string, { cpuMs }: Effort): string {
    const cells = [
      new Date().toISOString().slice(0, 10),
      commit(),
      this.#plays > 1 ? `${seeds}, twice` : seeds,
      `${(this.#simulatedMs / 3_600_000).toFixed(1)} h`,
      this.#operations,
      this.#grants,
      this.failed.join(' ') || 'none',
      `${this.#speed(cpuMs)}x`,
    ]
    return `| ${cells.join(' | ')} |`
  }

  #speed(cpuMs: number): string {
    return ((this.#simulatedMs * this.#plays) / (cpuMs || 1)).toFixed(0)
  }
}

/** Of what runs; marked when there is something that is not committed. */
function commit(): string {
  const { stdout, status } = spawnSync('git', ['describe', '--always', '--dirty=+'], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : 'unknown'
}
