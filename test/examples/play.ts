// An example, run by its one command as a user runs it, but for the building that stands before.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))

export interface Played {
  readonly code: number | null
  readonly said: string
}

/** The example starts a cluster of its own. */
export function play(name: string, environment: Readonly<Record<string, string>> = {}): Promise<Played> {
  const { HOLDFAST_ENDPOINTS: _, ...inherited } = process.env
  // A test runner's own loader is none of theirs.
  const env = { ...inherited, NODE_OPTIONS: '', ...environment }
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['examples/run.js', name], { cwd: root, env })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()))
    child.once('close', (code) => resolve({ code, said }))
  })
}
