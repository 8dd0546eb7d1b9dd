// What was found out about each mutant, a line as soon as it is known, in a file that git ignores: a run that was cut off
// goes on where it was (`--resume`), and the test that caught a mutant last time is the first to be asked the next time.
// A verdict holds for the edits that it was found with; of which commit it is stands in it, and is told.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import type { Mutant } from './mutant.ts'

const path = '.holdfast/mutants.jsonl'

const of = { mutant: Type.String(), edits: Type.String(), revision: Type.String() }

const TestsSaid = Type.Object({
  ...of,
  kind: Type.Literal('tests'),
  /** The first test that failed; null: none did. */
  caught: Type.Union([Type.Object({ title: Type.String(), file: Type.String() }), Type.Null()]),
})

const SimulatorSaid = Type.Object({
  ...of,
  kind: Type.Literal('simulator'),
  /** How many seeds it might take. */
  budget: Type.Number(),
  /** How many it took, the one that failed included; null: more. */
  seeds: Type.Union([Type.Number(), Type.Null()]),
  why: Type.String(),
})

export type TestsSaid = Static<typeof TestsSaid>
export type SimulatorSaid = Static<typeof SimulatorSaid>
export type Caught = TestsSaid['caught']
export type Hunted = Pick<SimulatorSaid, 'budget' | 'seeds' | 'why'>

export class Verdicts {
  readonly #path: string
  readonly #revision: string
  readonly #tests = new Map<string, TestsSaid>()
  readonly #simulator = new Map<string, SimulatorSaid>()

  constructor(repository: string) {
    this.#path = join(repository, path)
    this.#revision = revisionOf(repository)
    mkdirSync(dirname(this.#path), { recursive: true })
    const lines = existsSync(this.#path) ? readFileSync(this.#path, 'utf8').split('\n') : []
    for (const line of lines) this.#take(parsed(line))
  }

  /** Only one that caught it: there may be a test now that does. */
  tests({ name, edits }: Mutant): TestsSaid | null {
    const said = this.#tests.get(name)
    return said?.edits === digestOf(edits) && said.caught !== null ? said : null
  }

  /** Only one that a budget of so many seeds could not change. */
  simulator(mutant: Mutant, budget: number): SimulatorSaid | null {
    const said = this.#simulator.get(mutant.name)
    if (said?.edits !== digestOf([mutant.edits, mutant.faults])) return null
    const holds = said.seeds === null ? budget <= said.budget : said.seeds <= budget
    return holds ? said : null
  }

  /** So many seeds, from the first on, did not see it. */
  cleared({ name, edits, faults }: Mutant): number {
    const said = this.#simulator.get(name)
    return said?.edits === digestOf([edits, faults]) && said.seeds === null ? said.budget : 0
  }

  keepTests({ name, edits }: Mutant, caught: Caught): TestsSaid {
    const said: TestsSaid = { ...this.#head(name, edits), kind: 'tests', caught }
    return this.#keep(said)
  }

  keepSimulator({ name, edits, faults }: Mutant, hunted: Hunted): SimulatorSaid {
    const said: SimulatorSaid = { ...this.#head(name, [edits, faults]), kind: 'simulator', ...hunted }
    return this.#keep(said)
  }

  #head(mutant: string, edits: unknown): Pick<TestsSaid, 'mutant' | 'edits' | 'revision'> {
    return { mutant, edits: digestOf(edits), revision: this.#revision }
  }

  #keep<T extends TestsSaid | SimulatorSaid>(said: T): T {
    this.#take(said)
    appendFileSync(this.#path, `${JSON.stringify(said)}\n`)
    return said
  }

  #take(said: unknown): void {
    if (Value.Check(TestsSaid, said)) this.#tests.set(said.mutant, said)
    if (Value.Check(SimulatorSaid, said)) this.#simulator.set(said.mutant, said)
  }
}

/** The last line may have been cut off. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
}

function revisionOf(cwd: string): string {
  const { stdout } = spawnSync('git', ['describe', '--always', '--dirty', '--abbrev=7', '--exclude=*'], {
    cwd,
    encoding: 'utf8',
  })
  return stdout.trim() || 'unknown'
}
