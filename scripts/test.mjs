// `npm test`: all tests, then which lines and branches of the server they ran. With arguments, which go to tap, only tests.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'))

const args = process.argv.slice(2)
// Most tests with real processes wait for them most of the time: more of them than the machine has cores are sooner done.
if (args.length > 0) run('tap', ['run', ...args])
else withCoverage((recording) => run('tap', ['run', '--jobs=4'], recording))

function withCoverage(runTests) {
  // Not below build, where compiling clears away what has no source.
  const folder = join(process.cwd(), 'node_modules', '.cache', 'holdfast-coverage')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const preload = pathToFileURL(join(process.cwd(), 'scripts', 'test-preload.mjs')).href
  const options = `${process.env.NODE_OPTIONS ?? ''} --import=${preload}`.trim()
  runTests({ HOLDFAST_COVERAGE: folder, NODE_OPTIONS: options })
  const excluded = filesOfTypes('build/src').flatMap((file) => ['--exclude', file])
  const report = ['report', '--temp-directory', folder, '--reporter', 'text', '--all', '--src', 'build/src']
  run('c8', [...report, '--include', 'build/src/**', ...excluded])
}

/** Files that have nothing to run: they would count as never run. */
function filesOfTypes(folder) {
  const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.js'))
  return files
    .map((name) => join(folder, name))
    .filter((file) => /^(\/\/.*\n)*export {};\n/.test(readFileSync(file, 'utf8')))
}

function run(program, words, environment = {}) {
  const env = { ...process.env, ...environment }
  const { status, error } = spawnSync(join('node_modules/.bin', program), words, { stdio: 'inherit', env })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(status ?? 1)
}
