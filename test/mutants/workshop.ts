// A copy of the compiled code in which one mutant at a time is made. It lies in the repository, in a folder that git
// ignores, so that packages are found; the sources that tests read are those of the repository.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { byFile, compiledPath, edited } from './mutant.ts'
import type { Edit } from './mutant.ts'

const parent = '.holdfast'

export class Workshop {
  readonly root: string
  /** Of tests that failed with a mutant: whether they pass without one. */
  readonly passes = new Map<string, boolean>()
  readonly #repository: string

  constructor(repository: string) {
    this.#repository = repository
    mkdirSync(join(repository, parent), { recursive: true })
    this.root = mkdtempSync(join(repository, parent, 'mutant-'))
    for (const name of readdirSync(repository)) {
      if (name === 'build' || name.startsWith('.')) continue
      symlinkSync(join(repository, name), join(this.root, name))
    }
    const isCode = (path: string): boolean => ['', '.js'].includes(extname(path)) || path.endsWith('.test')
    for (const part of ['src', 'test', 'bench']) {
      const from = join(repository, 'build', part)
      cpSync(from, join(this.root, 'build', part), { recursive: true, filter: isCode })
    }
  }

  apply(edits: readonly Edit[]): void {
    for (const [file, ofFile] of byFile(edits)) {
      const path = compiledPath(file)
      writeFileSync(join(this.root, path), edited(readFileSync(join(this.#repository, path), 'utf8'), ofFile))
    }
  }

  restore(edits: readonly Edit[]): void {
    for (const file of byFile(edits).keys()) {
      const path = compiledPath(file)
      writeFileSync(join(this.root, path), readFileSync(join(this.#repository, path)))
    }
  }

  dispose(): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}
