// Processes of an example: each says one JSON object a line, and somebody waits for a line that matters.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Starts a program of the example's folder. What it says is also shown. */
export function startProgram(folder, file, ...args) {
  const child = spawn(process.execPath, [`${folder}/${file}`, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const said = []
  const waiting = new Set()
  createInterface({ input: child.stdout }).on('line', (line) => {
    console.log(`${args[0].padEnd(8)} ${line}`)
    said.push(JSON.parse(line))
    for (const look of waiting) look()
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  return {
    name: args[0],
    said,
    ended,
    kill: (signal) => child.kill(signal),
    /** The first line, said already or to come, of which `isIt` is true. */
    heard: (isIt) =>
      new Promise((resolve) => {
        const look = () => {
          const line = said.find(isIt)
          if (line === undefined) return
          waiting.delete(look)
          resolve(line)
        }
        waiting.add(look)
        look()
      }),
  }
}

export function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
