// A file system on which any number of processes take steps in an order that a test draws, each step atomic and nothing
// between steps. A folder may be read while others change it: what comes or goes meanwhile is shown or not, as drawn. A
// process may die before any of its steps, and the power may be cut: of what was not synced, each change is kept or lost.
import { basename, dirname, join } from 'node:path'
import type { Folder } from '../../src/guard/folder.ts'

/** Whole numbers from 0, drawn by the test; 0 for ever when there are no more. */
export type Draws = () => number

interface Change {
  readonly folders: readonly string[]
  readonly apply: (files: Map<string, string>) => void
}

interface Reading {
  readonly folder: string
  readonly uncertain: Set<string>
}

interface Step {
  readonly process: string
  readonly take: () => void
}

export class ModelDisk {
  #files = new Map<string, string>()
  #durable = new Map<string, string>()
  #unsynced: Change[] = []
  readonly #readings = new Set<Reading>()
  #waiting: Step[] = []
  readonly #draws: Draws
  /** What was put at each path that is not in a fence, in order. */
  readonly landed: string[] = []

  constructor(draws: Draws) {
    this.#draws = draws
  }

  content(path: string): string | undefined {
    return this.#files.get(path)
  }

  names(folder: string): string[] {
    return [...this.#files.keys()].filter((path) => dirname(path) === folder).map((path) => basename(path))
  }

  /** One process's view; every step of it waits until `run` lets it go. */
  folder(process: string): Folder {
    const step = <Result>(take: () => Result): Promise<Result> =>
      new Promise((resolve) => this.#waiting.push({ process, take: () => resolve(take()) }))
    return {
      list: async (folder) => {
        const reading = { folder, uncertain: new Set<string>() }
        await step(() => this.#readings.add(reading))
        return step(() => this.#shown(reading))
      },
      touch: (path) => step(() => this.#files.has(path) || this.#set(path, '')).then(() => undefined),
      create: (path, content) => step(() => this.#set(path, String(content))),
      remove: (path) => step(() => this.#remove(path)),
      rename: (names) => step(() => this.#rename(names)),
      sync: (folder) => step(() => this.#sync(folder)),
    }
  }

  /** Takes drawn steps until nobody wants to take one; `fate` may kill the process first, or end everything. */
  async run(fate: () => 'go' | 'die' | 'stop'): Promise<void> {
    for (let last = ''; ;) {
      await new Promise((resolve) => setImmediate(resolve))
      const step = this.#next(last)
      if (step === undefined) return
      last = step.process
      const decided = fate()
      if (decided === 'stop') return
      this.#waiting = this.#waiting.filter((one) => one !== step)
      // One step at a time is under way in a process, so without it nothing more comes of it.
      if (decided === 'go') step.take()
    }
  }

  /** Lets one process take so many steps, or all it has. */
  async take(process: string, steps = Infinity): Promise<void> {
    for (let taken = 0; taken < steps; taken++) {
      await new Promise((resolve) => setImmediate(resolve))
      const step = this.#waiting.find((one) => one.process === process)
      if (step === undefined) return
      this.#waiting = this.#waiting.filter((one) => one !== step)
      step.take()
    }
  }

  /** Mostly the same process as before: what breaks rules is a few interruptions at the right places, not many. */
  #next(last: string): Step | undefined {
    const again = this.#waiting.find(({ process }) => process === last)
    const draw = this.#draws()
    if (again !== undefined && draw % 4 !== 0) return again
    return this.#waiting[Math.floor(draw / 4) % Math.max(1, this.#waiting.length)]
  }

  cutPower(): void {
    for (const change of this.#unsynced) if (this.#draws() % 2 === 0) change.apply(this.#durable)
    this.#unsynced = []
    this.#waiting = []
    this.#readings.clear()
    this.#files = new Map(this.#durable)
  }

  #set(path: string, content: string): void {
    this.#change([path], (files) => files.set(path, content))
  }

  #remove(path: string): boolean {
    if (!this.#files.has(path)) return false
    this.#change([path], (files) => files.delete(path))
    return true
  }

  #rename({ from, to }: { from: string; to: string }): boolean {
    const content = this.#files.get(from)
    if (content === undefined) return false
    // The content is durable: it may come back under its new name although its old one never was.
    this.#change([from, to], (files) => {
      files.delete(from)
      files.set(to, content)
    })
    this.landed.push(content)
    return true
  }

  #change(paths: readonly string[], apply: (files: Map<string, string>) => unknown): void {
    apply(this.#files)
    this.#unsynced.push({ folders: paths.map((path) => dirname(path)), apply })
    for (const reading of this.#readings) {
      for (const path of paths) if (dirname(path) === reading.folder) reading.uncertain.add(basename(path))
    }
  }

  #sync(folder: string): void {
    for (const change of this.#unsynced) if (change.folders.includes(folder)) change.apply(this.#durable)
    this.#unsynced = this.#unsynced.filter((change) => !change.folders.includes(folder))
  }

  #shown(reading: Reading): string[] {
    this.#readings.delete(reading)
    const there = new Set(this.names(reading.folder))
    for (const name of reading.uncertain) {
      if (this.#draws() % 2 === 0) there.add(name)
      else there.delete(name)
    }
    return [...there]
  }
}

export const guardedPath = join('/', 'etc', 'file')
export const fencePath = `${guardedPath}.fence`
