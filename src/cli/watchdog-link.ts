// The end of `run` of the pipe to its watchdog. A watchdog that dies before its time is replaced, and the new one is told
// everything: while the command runs there is always one, but for the moment in which it starts.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Span } from './due.ts'
import { markVariable } from './process-tree.ts'
import { writeWord } from './watchdog-words.ts'
import type { Word } from './watchdog-words.ts'

const program = fileURLToPath(new URL('watchdog.js', import.meta.url))
/** Some 8 MB of its own; the rest of what it seems to have is the program, shared with `run`. */
const flags = ['--max-old-space-size=16', '--v8-pool-size=0']
const replaceAfterMs = 200

export class WatchdogLink {
  readonly #told = new Map<Word['kind'], Word>()
  #process: ChildProcess
  #isDone = false

  private constructor(mark: string) {
    this.#told.set('mark', { kind: 'mark', mark })
    this.#process = this.#start()
  }

  /** It listens when this resolves. Rejects when no process can be started. */
  static async start(mark: string): Promise<WatchdogLink> {
    const link = new WatchdogLink(mark)
    const started = link.#process
    await new Promise<void>((resolve, reject) => {
      started.once('error', reject)
      started.once('exit', (code) => reject(new Error(`the watchdog ended with ${code} before it was ready`)))
      started.stdout?.once('data', () => resolve())
    })
    return link
  }

  get pid(): number | null {
    return this.#process.pid ?? null
  }

  tellLeader(leader: number): void {
    this.#tell({ kind: 'leader', leader })
  }

  tellDeadline({ at, remainingMs }: Span): void {
    this.#tell({ kind: 'deadline', at, remainingMs })
  }

  /** Nothing is left: it ends by itself. */
  done(): void {
    this.#isDone = true
    this.#tell({ kind: 'done' })
    this.#process.stdin?.end()
  }

  #tell(word: Word): void {
    this.#told.set(word.kind, word)
    this.#process.stdin?.write(writeWord(word))
  }

  #start(): ChildProcess {
    const { NODE_OPTIONS: _ours, [markVariable]: _outer, ...env } = process.env
    const started = spawn(process.execPath, [...flags, program], {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
      cwd: '/',
      env,
    })
    const replace = (): void => {
      if (this.#isDone) return
      setTimeout(() => {
        if (!this.#isDone) this.#process = this.#start()
      }, replaceAfterMs).unref()
    }
    started.once('error', replace)
    started.once('exit', replace)
    // That it is gone is told by its exit.
    started.stdin.on('error', () => {})
    for (const word of this.#told.values()) started.stdin.write(writeWord(word))
    return started
  }
}
