// The parent's side of damage-probe.ts.
import { type ChildProcess, fork, spawn, type StdioOptions } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { ProbeAnswer, ProbeRequest } from './damage-probe.ts'

export type ProbeResult = ProbeAnswer | { readonly kind: 'aborted'; readonly signal: string }

export class Probe {
  #child: ChildProcess | null = null
  readonly #fileKilobytesMax: number | null

  /** `fileKilobytesMax`: no file of the process grows beyond that, as on a disk that is full. */
  constructor(t: Pick<Test, 'teardown'>, fileKilobytesMax: number | null = null) {
    this.#fileKilobytesMax = fileKilobytesMax
    t.teardown(() => this.kill())
  }

  /** One request at a time. */
  ask(request: ProbeRequest): Promise<ProbeResult> {
    const child = this.#child ?? this.#start()
    return new Promise((resolve) => {
      const onMessage = (answer: ProbeAnswer): void => {
        child.off('exit', onExit)
        resolve(answer)
      }
      const onExit = (code: number | null, signal: string | null): void => {
        child.off('message', onMessage)
        this.#child = null
        resolve({ kind: 'aborted', signal: signal ?? `exit code ${code}` })
      }
      child.once('message', onMessage)
      child.once('exit', onExit)
      child.send(request)
    })
  }

  /** Returns when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null) return
    const isGone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await isGone
  }

  #start(): ChildProcess {
    const program = fileURLToPath(new URL('damage-probe.js', import.meta.url))
    // What LevelDB says when it aborts is no output of the test.
    const stdio: StdioOptions = ['ignore', 'ignore', 'ignore', 'ipc']
    // A write over the limit then fails instead of ending the process with a signal: Node ignores it, unless something
    // that is loaded before the program listens to all signals, as a test runner may do by this variable.
    const limit = `unset NODE_OPTIONS; trap '' XFSZ; ulimit -f ${this.#fileKilobytesMax}; exec "$@"`
    this.#child =
      this.#fileKilobytesMax === null
        ? fork(program, { stdio })
        : spawn('bash', ['-c', limit, 'bash', process.execPath, program], { stdio })
    return this.#child
  }
}
