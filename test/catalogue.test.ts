// The catalogue of shipped bugs (CATALOGUE.md) against the tests that there are: a row that names a test which was renamed
// or removed, a number without a row and a row without a reason are found here, not by whoever needs them.
import t from 'tap'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = resolve(dirname(fileURLToPath(import.meta.url)), '../../test')
const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
const catalogue = read('CATALOGUE.md')

/** `- **B57** what went wrong`, and a line for each test or reason below it. */
interface Row {
  readonly name: string
  readonly tests: readonly string[]
  /** What is said in place of a test, or beside one. */
  readonly reasons: readonly string[]
  /** Files that the opening line names. */
  readonly places: readonly string[]
}

const rows: readonly Row[] = catalogue
  .split(/^- (?=\*\*)/m)
  .slice(1)
  .map((text) => {
    const [opening = '', ...below] = text.split(/\n(?=  - |#|\n)/)
    const lines = below.filter((line) => line.startsWith('  - ')).map((line) => line.slice(4).trim())
    return {
      name: /^\*\*`?(.+?)`?\*\*/.exec(opening)?.[1] ?? '',
      tests: lines.flatMap((line) => /^`([^`]+)`$/.exec(line)?.[1] ?? []),
      reasons: lines.filter((line) => !line.startsWith('`')),
      places: [...opening.matchAll(/`([^`]+\.ts)`/g)].map(([, place]) => place ?? ''),
    }
  })

const titles = new Map<string, readonly string[]>()

/** The titles of a file as its source has them, with `${what}` where they are made of parts. */
function titlesIn(file: string): readonly string[] {
  const known = titles.get(file)
  if (known !== undefined) return known
  const found = [...read(file).matchAll(/\bt\.test\(\s*(['`"])((?:\\.|(?!\1).)*)\1/gs)].map(
    ([, , title]) => title ?? '',
  )
  titles.set(file, found)
  return found
}

/** Whether there is such a test: `file: title`, or a script, which opens with its reason. */
function exists(test: string): boolean {
  const [file = '', title] = test.split(/: (.*)/s)
  if (!existsSync(join(folder, file))) return false
  return title === undefined ? file.endsWith('.txt') && read(file).startsWith('# ') : titlesIn(file).includes(title)
}

function numbered(letter: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, position) => `${letter}${`${position + 1}`.padStart(2, '0')}`)
}

t.test('every shipped bug and every check has one row', async (t) => {
  const names = rows.map(({ name }) => name)
  t.same(
    names.filter((name) => /^B\d+$/.test(name)),
    numbered('B', 132),
  )
  t.same(
    names.filter((name) => /^C\d+$/.test(name)),
    numbered('C', 32),
  )
  t.equal(new Set(names).size, names.length, 'no test of others stands twice')
})

t.test('every test that a row names exists', async (t) => {
  const missing = rows.flatMap(({ name, tests }) =>
    tests.filter((test) => !exists(test)).map((test) => `${name} ${test}`),
  )
  t.same(missing, [])
  t.ok(rows.flatMap(({ tests }) => tests).length > 400, 'and there are many')
})

t.test('a row without a test says why, and a reason says so much that it can be judged', async (t) => {
  const silent = rows.filter(({ tests, reasons }) => tests.length + reasons.length === 0)
  t.same(silent, [])
  const words = /^(Cannot occur|Does not exist|Not here): .{20,}/s
  const vague = rows.flatMap(({ name, reasons }) =>
    reasons.filter((line) => !words.test(line)).map((line) => [name, line]),
  )
  t.same(vague, [])
})

t.test('a number in the title of a test is that of a row with tests', async (t) => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const told = files.flatMap((file) => {
    if (file.endsWith('.txt')) return read(file).match(/^# .*$/gm) ?? []
    return file.endsWith('.ts') ? titlesIn(file) : []
  })
  const covered = new Set(rows.filter(({ tests }) => tests.length > 0).map(({ name }) => name))
  const stray = told.flatMap((title) => title.match(/\bB\d+\b/g) ?? []).filter((number) => !covered.has(number))
  t.same([...new Set(stray)], [])
})

t.test('every check lives where its row says', async (t) => {
  const root = join(folder, '..')
  const below = ['', 'test', 'test/sim']
  const lost = rows.flatMap(({ name, places }) =>
    places.filter((place) => !below.some((path) => existsSync(join(root, path, place)))).map((place) => [name, place]),
  )
  t.same(lost, [])
})
