// A child process that is read line by line and may be stopped: a mutant can loop for ever.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface ChildOptions {
  readonly cwd: string
  /** It is killed when it has said nothing for so long. */
  readonly silenceMs: number
  /** Returns true when enough is known: then it is killed. */
  readonly take: (line: string) => boolean
}

export type ChildEnd =
  | { readonly kind: 'ended'; readonly status: string }
  | { readonly kind: 'enough' }
  | { readonly kind: 'silent' }

/** Runs a script of Node.js. */
export function runChild(args: readonly string[], { cwd, silenceMs, take }: ChildOptions): Promise<ChildEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, env: childEnvironment(), stdio: ['ignore', 'pipe', 'ignore'] })
    let end: ChildEnd | null = null
    const orphan = (): void => void child.kill('SIGKILL')
    process.once('exit', orphan)
    const stop = (why: ChildEnd): void => {
      end ??= why
      child.kill('SIGKILL')
    }
    let timer = setTimeout(() => stop({ kind: 'silent' }), silenceMs)
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (line) => {
      clearTimeout(timer)
      if (end !== null) return
      timer = setTimeout(() => stop({ kind: 'silent' }), silenceMs)
      if (take(line)) stop({ kind: 'enough' })
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      process.off('exit', orphan)
      // By somebody who needs the machine: that says nothing of the mutant.
      if (end === null && signal === 'SIGKILL') reject(new Error(`${args.join(' ')} was killed from outside`))
      else resolve(end ?? { kind: 'ended', status: `${code ?? signal}` })
    })
  })
}

/** Without what a test runner that started us would load into it; how long a test may take is judged by its silence. */
function childEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, TAP_CHILD_ID: __, TAP: ___, ...rest } = process.env
  return { ...rest, TAP_TIMEOUT: '0' }
}
